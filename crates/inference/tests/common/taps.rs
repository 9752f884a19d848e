//! Channels that stand between a role and its peer: two write down what passes or how long it is, one changes what is sent.

use blindscan_wire::{Channel, Traffic, WireError};

/// Writes down every message.
pub(crate) struct Tap<'a> {
    inner: &'a mut dyn Channel,
    pub(crate) sent: Vec<Vec<u8>>,
    pub(crate) received: Vec<Vec<u8>>,
}

impl<'a> Tap<'a> {
    pub(crate) fn new(inner: &'a mut dyn Channel) -> Self {
        Self { inner, sent: Vec::new(), received: Vec::new() }
    }
}

impl Channel for Tap<'_> {
    fn send(&mut self, message: &[u8]) -> Result<(), WireError> {
        self.sent.push(message.to_vec());
        self.inner.send(message)
    }

    fn receive(&mut self, length: usize) -> Result<Vec<u8>, WireError> {
        let message = self.inner.receive(length)?;
        self.received.push(message.clone());
        Ok(message)
    }

    fn exchange(&mut self, message: &[u8], length: usize) -> Result<Vec<u8>, WireError> {
        self.send(message)?;
        self.receive(length)
    }

    fn finish(&mut self) -> Result<(), WireError> {
        self.inner.finish()
    }

    fn traffic(&self) -> Traffic {
        self.inner.traffic()
    }
}

/// Writes down the length of every message that is sent.
pub(crate) struct Shape<'a> {
    inner: &'a mut dyn Channel,
    pub(crate) sent: Vec<usize>,
}

impl<'a> Shape<'a> {
    pub(crate) fn new(inner: &'a mut dyn Channel) -> Self {
        Self { inner, sent: Vec::new() }
    }
}

impl Channel for Shape<'_> {
    fn send(&mut self, message: &[u8]) -> Result<(), WireError> {
        self.sent.push(message.len());
        self.inner.send(message)
    }

    fn receive(&mut self, length: usize) -> Result<Vec<u8>, WireError> {
        self.inner.receive(length)
    }

    fn exchange(&mut self, message: &[u8], length: usize) -> Result<Vec<u8>, WireError> {
        self.sent.push(message.len());
        self.inner.exchange(message, length)
    }

    fn finish(&mut self) -> Result<(), WireError> {
        self.inner.finish()
    }

    fn traffic(&self) -> Traffic {
        self.inner.traffic()
    }
}

/// What is done to one message.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Bend {
    /// The last byte is missing.
    Short,
    /// There is a byte too many.
    Long,
    /// The length is right and every bit is set: residues out of range, points that are none.
    Ones,
    /// One bit in the middle is turned.
    Turned,
    /// One bit of the byte at each place is turned.
    TurnedAt([usize; 2]),
}

/// Changes the message number `at` that is sent.
pub(crate) struct Bent<'a> {
    inner: &'a mut dyn Channel,
    at: usize,
    bend: Bend,
    sent: usize,
}

impl<'a> Bent<'a> {
    pub(crate) fn new(inner: &'a mut dyn Channel, at: usize, bend: Bend) -> Self {
        Self { inner, at, bend, sent: 0 }
    }

    fn bent(&mut self, message: &[u8]) -> Vec<u8> {
        let mut message = message.to_vec();
        if self.sent == self.at {
            match self.bend {
                Bend::Short => message.truncate(message.len() - 1),
                Bend::Long => message.push(0),
                Bend::Ones => message.fill(0xff),
                Bend::Turned => {
                    let middle = message.len() / 2;
                    message[middle] ^= 1;
                }
                Bend::TurnedAt(places) => places.iter().for_each(|&place| message[place] ^= 1),
            }
        }
        self.sent += 1;
        message
    }
}

impl Channel for Bent<'_> {
    fn send(&mut self, message: &[u8]) -> Result<(), WireError> {
        let message = self.bent(message);
        self.inner.send(&message)
    }

    fn receive(&mut self, length: usize) -> Result<Vec<u8>, WireError> {
        self.inner.receive(length)
    }

    fn exchange(&mut self, message: &[u8], length: usize) -> Result<Vec<u8>, WireError> {
        let message = self.bent(message);
        self.inner.exchange(&message, length)
    }

    fn finish(&mut self) -> Result<(), WireError> {
        self.inner.finish()
    }

    fn traffic(&self) -> Traffic {
        self.inner.traffic()
    }
}
