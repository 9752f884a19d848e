//! Control messages: small structures with a length in front and a cap on it.
//!
//! | step | message | bytes |
//! |---|---|---|
//! | 1 | length of the body | 4 |
//! | 2 | body, postcard | length |

use blindscan_wire::Channel;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::SessionError;

/// Sends one control message.
pub fn send<T: Serialize>(message: &T, channel: &mut dyn Channel) -> Result<(), SessionError> {
    let body = postcard::to_stdvec(message).expect("control messages can be written");
    let length = u32::try_from(body.len()).expect("control messages are short");
    channel.send(&length.to_le_bytes())?;
    Ok(channel.send(&body)?)
}

/// Receives one control message of at most `cap` bytes: the cap is checked before anything is allocated.
pub fn receive<T: DeserializeOwned>(cap: usize, channel: &mut dyn Channel) -> Result<T, SessionError> {
    let length = channel.receive(4)?;
    let length = u32::from_le_bytes(length.try_into().expect("four bytes were asked for")) as usize;
    if length > cap {
        return Err(SessionError::TooLong { cap, found: length });
    }
    let body = channel.receive(length)?;
    postcard::from_bytes(&body).map_err(|_| SessionError::Unreadable)
}

#[cfg(test)]
mod tests {
    use blindscan_wire::memory::play;

    use super::*;

    #[test]
    fn a_message_comes_back() {
        let played = play(
            |channel| send(&(7u32, "words".to_string()), channel).unwrap(),
            |channel| receive::<(u32, String)>(100, channel).unwrap(),
        );
        assert_eq!(played.right, (7, "words".to_string()));
    }

    #[test]
    fn a_message_above_its_cap_is_refused_before_it_is_read() {
        let played = play(
            |channel| channel.send(&u32::MAX.to_le_bytes()).unwrap(),
            |channel| receive::<Vec<u8>>(100, channel),
        );
        assert!(matches!(played.right, Err(SessionError::TooLong { cap: 100, .. })));
    }

    #[test]
    fn a_message_that_is_none_is_an_error() {
        let played = play(
            |channel| {
                channel.send(&3u32.to_le_bytes()).unwrap();
                channel.send(&[0xff, 0xff, 0xff]).unwrap();
            },
            |channel| receive::<(u64, String)>(100, channel),
        );
        assert!(matches!(played.right, Err(SessionError::Unreadable)));
    }
}
