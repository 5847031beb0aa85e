//! Texts inside Intel's JSON: hexadecimal bytes, times, statuses.

use der::DateTime;
use phala_messages::TcbStatus;
use phala_units::UnixMillis;

/// Exactly `N` bytes in hexadecimal.
pub(crate) fn hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    hex::decode_to_slice(text, &mut bytes).ok()?;
    Some(bytes)
}

/// `YYYY-MM-DDThh:mm:ssZ`, as Intel writes it.
pub(crate) fn time(text: &str) -> Option<UnixMillis> {
    let time: DateTime = text.parse().ok()?;
    Some(UnixMillis::from_seconds(time.unix_duration().as_secs()))
}

/// A status that Intel gives to levels.
pub(crate) fn status(text: &str) -> Option<TcbStatus> {
    use TcbStatus::*;
    [
        UpToDate,
        SWHardeningNeeded,
        ConfigurationNeeded,
        ConfigurationAndSWHardeningNeeded,
        OutOfDate,
        OutOfDateConfigurationNeeded,
        Revoked,
    ]
    .into_iter()
    .find(|status| status.name() == text)
}
