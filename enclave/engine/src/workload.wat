;; What a benchmark computes: one call of `run` is one iteration. It hashes, multiplies matrices and walks through a mebibyte of memory, in
;; parts that take about the same time on a processor of 2024. Each part's result enters the next, so none can be left out.
(module
  (memory (export "memory") 18)
  (func (export "run") (param $seed i64) (result i64)
    (local $x i64) (local $n i32) (local $i i32) (local $j i32) (local $k i32) (local $at i32) (local $sum f64)
    (local.set $x (i64.xor (local.get $seed) (i64.const 0x5851f42d4c957f2d)))

    ;; Hash: 700,000 rounds of multiply, rotate, xor.
    (local.set $n (i32.const 700000))
    (loop $hash
      (local.set $x
        (i64.xor
          (i64.rotl (i64.mul (local.get $x) (i64.const 0x9e3779b97f4a7c15)) (i64.const 27))
          (i64.extend_i32_u (local.get $n))))
      (br_if $hash (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))

    ;; Matrices: two of 64 × 64 at 1 MiB and 1 MiB + 32 KiB, filled from the hash; their product at 1 MiB + 64 KiB.
    (local.set $n (i32.const 0))
    (loop $fill
      (local.set $x (i64.add (i64.mul (local.get $x) (i64.const 0x5851f42d4c957f2d)) (i64.const 1)))
      (f64.store offset=1048576 (local.get $n)
        (f64.convert_i64_u (i64.shr_u (local.get $x) (i64.const 48))))
      (br_if $fill (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 8))) (i32.const 65536))))
    (local.set $i (i32.const 0))
    (loop $row
      (local.set $j (i32.const 0))
      (loop $column
        (local.set $sum (f64.const 0))
        (local.set $k (i32.const 0))
        (loop $cell
          (local.set $sum
            (f64.add (local.get $sum)
              (f64.mul
                (f64.load offset=1048576
                  (i32.shl (i32.add (i32.shl (local.get $i) (i32.const 6)) (local.get $k)) (i32.const 3)))
                (f64.load offset=1081344
                  (i32.shl (i32.add (i32.shl (local.get $k) (i32.const 6)) (local.get $j)) (i32.const 3))))))
          (br_if $cell (i32.lt_u (local.tee $k (i32.add (local.get $k) (i32.const 1))) (i32.const 64))))
        (f64.store offset=1114112
          (i32.shl (i32.add (i32.shl (local.get $i) (i32.const 6)) (local.get $j)) (i32.const 3))
          (local.get $sum))
        ;; Whole numbers below 2⁵³: the same on every processor.
        (local.set $x (i64.xor (i64.rotl (local.get $x) (i64.const 5)) (i64.trunc_sat_f64_u (local.get $sum))))
        (br_if $column (i32.lt_u (local.tee $j (i32.add (local.get $j) (i32.const 1))) (i32.const 64))))
      (br_if $row (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 64))))

    ;; Memory: 300,000 steps through the first mebibyte; where each leads is decided by what the last one read.
    (local.set $n (i32.const 300000))
    (loop $walk
      (local.set $at (i32.and (i32.wrap_i64 (i64.shr_u (local.get $x) (i64.const 13))) (i32.const 0xffff8)))
      (local.set $x
        (i64.add
          (i64.mul (i64.xor (local.get $x) (i64.load (local.get $at))) (i64.const 0x9e3779b97f4a7c15))
          (i64.const 0x7f4a7c15)))
      (i64.store (local.get $at) (local.get $x))
      (br_if $walk (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $x)))
