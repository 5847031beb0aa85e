//! What a PCK certificate says of its platform: Intel's SGX extension.
//!
//! # Source
//! Intel SGX PCK Certificate and CRL Profile Specification, table of the extension 1.2.840.113741.1.13.1.

use crate::{certificate::Fields, report::Configuration};
use const_oid::ObjectIdentifier;
use der::{Decode as _, Tag};

const fn oid(text: &str) -> ObjectIdentifier {
    ObjectIdentifier::new_unwrap(text)
}

const TCB: ObjectIdentifier = oid("1.2.840.113741.1.13.1.2");
const PCEID: ObjectIdentifier = oid("1.2.840.113741.1.13.1.3");
const FMSPC: ObjectIdentifier = oid("1.2.840.113741.1.13.1.4");
const CONFIGURATION: ObjectIdentifier = oid("1.2.840.113741.1.13.1.7");
const DYNAMIC_PLATFORM: ObjectIdentifier = oid("1.2.840.113741.1.13.1.7.1");
const CACHED_KEYS: ObjectIdentifier = oid("1.2.840.113741.1.13.1.7.2");
const SMT_ENABLED: ObjectIdentifier = oid("1.2.840.113741.1.13.1.7.3");
const PCE_SVN: ObjectIdentifier = oid("1.2.840.113741.1.13.1.2.17");
const CPU_SVN: ObjectIdentifier = oid("1.2.840.113741.1.13.1.2.18");
/// Arcs of one TCB component: these and its number, 1 to 16.
const COMPONENT_ARCS: usize = 9;
const COMPONENTS: usize = 16;

/// A platform as Intel certified it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Platform {
    pub(crate) fmspc: [u8; 6],
    pub(crate) pce_id: [u8; 2],
    pub(crate) cpu_svn: [u8; COMPONENTS],
    pub(crate) pce_svn: u16,
    pub(crate) configuration: Configuration,
}

impl Platform {
    /// Parses the extension's value. `None`: malformed, or the sixteen components are not the bytes of CPUSVN
    /// (TCB type 0, the only one there is, says that they are).
    pub(crate) fn parse(extension: &[u8]) -> Option<Self> {
        let mut fmspc = None;
        let mut pce_id = None;
        let mut tcb = None;
        let mut configuration = Configuration::default();
        for_each(extension, |id, value| {
            match id {
                FMSPC => once(&mut fmspc, octets(value)?)?,
                PCEID => once(&mut pce_id, octets(value)?)?,
                TCB => once(&mut tcb, parse_tcb(value)?)?,
                CONFIGURATION => configuration = parse_configuration(value)?,
                // PPID, SGX type, platform instance: judged by nobody.
                _ => {}
            }
            Some(())
        })?;
        let (cpu_svn, pce_svn) = tcb?;
        Some(Self { fmspc: fmspc?, pce_id: pce_id?, cpu_svn, pce_svn, configuration })
    }
}

fn parse_tcb(bytes: &[u8]) -> Option<([u8; COMPONENTS], u16)> {
    let mut components = [None; COMPONENTS];
    let mut cpu_svn = None;
    let mut pce_svn = None;
    for_each(bytes, |id, value| {
        match id {
            PCE_SVN => once(&mut pce_svn, u16::from_der(value).ok()?)?,
            CPU_SVN => once(&mut cpu_svn, octets::<COMPONENTS>(value)?)?,
            _ => {
                if id.parent()? != TCB || id.arcs().count() != COMPONENT_ARCS {
                    return None;
                }
                let number = usize::try_from(id.arcs().last()?).ok()?;
                once(components.get_mut(number.checked_sub(1)?)?, u8::from_der(value).ok()?)?;
            }
        }
        Some(())
    })?;
    let cpu_svn = cpu_svn?;
    let same = components.iter().zip(cpu_svn).all(|(component, byte)| *component == Some(byte));
    same.then_some((cpu_svn, pce_svn?))
}

fn parse_configuration(bytes: &[u8]) -> Option<Configuration> {
    let mut configuration = Configuration::default();
    for_each(bytes, |id, value| {
        let flag = match id {
            DYNAMIC_PLATFORM => &mut configuration.dynamic_platform,
            CACHED_KEYS => &mut configuration.cached_keys,
            SMT_ENABLED => &mut configuration.smt_enabled,
            _ => return Some(()),
        };
        once(flag, bool::from_der(value).ok()?)
    })?;
    Some(configuration)
}

/// Walks `SEQUENCE OF SEQUENCE { id, value }`, handing out each value whole.
fn for_each<'a>(bytes: &'a [u8], mut visit: impl FnMut(ObjectIdentifier, &'a [u8]) -> Option<()>) -> Option<()> {
    let mut outer = Fields::of(bytes)?;
    let mut entries = outer.sequence()?;
    outer.end()?;
    while !entries.is_empty() {
        let mut entry = entries.sequence()?;
        let id = entry.decode()?;
        let value = entry.whole()?;
        entry.end()?;
        visit(id, value)?;
    }
    Some(())
}

fn octets<const N: usize>(bytes: &[u8]) -> Option<[u8; N]> {
    Fields::of(bytes)?.value(Tag::OctetString)?.try_into().ok()
}

fn once<T>(slot: &mut Option<T>, value: T) -> Option<()> {
    if slot.is_some() {
        return None;
    }
    *slot = Some(value);
    Some(())
}
