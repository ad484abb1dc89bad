//! How a packet is divided into frames (RFC 6716, section 3.2). It is refused where libopus refuses it.

use super::packet_samples;

/// The longest frame (RFC 6716, section 3.2.1).
const MAX_BYTES: usize = 1_275;

/// In the second byte of a packet of many frames: whether they differ in length, and whether there is padding behind them.
const VARIABLE: u8 = 0x80;
const PADDED: u8 = 0x40;

/// Returns the first frame inside a packet, which may be empty, or `None` where the packet is malformed.
pub(super) fn first_frame(packet: &[u8]) -> Option<&[u8]> {
    let (&toc, rest) = packet.split_first()?;
    let (first, last) = match toc & 3 {
        0 => (rest, rest.len()),
        1 => alike(rest, 2)?,
        2 => different(rest, 2)?,
        _ => {
            packet_samples(packet).ok()?;
            let (&count, rest) = rest.split_first()?;
            let (padded, count) = (count & PADDED != 0, (usize::from(count & 0x3F), count & VARIABLE != 0));
            let rest = if padded { without_padding(rest)? } else { rest };
            match count {
                (count, true) => different(rest, count)?,
                (count, false) => alike(rest, count)?,
            }
        }
    };
    // The other frames are as short as their length is coded.
    (last <= MAX_BYTES).then_some(first)
}

/// The first of `count` frames of the same length, and that length.
fn alike(rest: &[u8], count: usize) -> Option<(&[u8], usize)> {
    let length = rest.len().checked_div(count)?;
    (length * count == rest.len()).then(|| (&rest[..length], length))
}

/// The first of `count` frames that all but the last say how long they are, and the length of the last.
fn different(mut rest: &[u8], count: usize) -> Option<(&[u8], usize)> {
    let (mut first, mut sum) = (None, 0);
    for _ in 1..count {
        let length;
        (length, rest) = frame_length(rest)?;
        first.get_or_insert(length);
        sum += length;
    }
    let last = rest.len().checked_sub(sum)?;
    Some((&rest[..first.unwrap_or(last)], last))
}

fn frame_length(rest: &[u8]) -> Option<(usize, &[u8])> {
    match *rest {
        [length @ 0..252, ref rest @ ..] => Some((length.into(), rest)),
        [low, high, ref rest @ ..] => Some((usize::from(low) + 4 * usize::from(high), rest)),
        _ => None,
    }
}

/// Takes off the bytes that say how long the padding is, each 255 standing for 254 and for another such byte, and the padding.
fn without_padding(mut rest: &[u8]) -> Option<&[u8]> {
    loop {
        let (&length, behind) = rest.split_first()?;
        let padding = usize::from(length.min(254));
        rest = behind.get(..behind.len().checked_sub(padding)?)?;
        if length < 255 {
            return Some(rest);
        }
    }
}
