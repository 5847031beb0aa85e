//! The benchmarks of our own pallets, for `make weights`. Others' weights come with their pallets.

frame_benchmarking::define_benchmarks!(
    [pallet_registry, Registry]
    [pallet_programs, Programs]
    [pallet_custody, Custody]
    [pallet_key_recovery, Recovery]
    [pallet_computation, Computation]
    [pallet_pools, Pools]
    [pallet_credit, Credit]
);
