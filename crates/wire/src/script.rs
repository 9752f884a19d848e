//! What a dialogue says, known before anybody speaks: who sends how many bytes to whom, in which order.
//!
//! A protocol declares a [`Script`]; a [`Replay`] counts it at one seat exactly as that seat's channels will. Bytes and turns of
//! every part of a dialogue follow from that and are declared nowhere else.
//!
//! | a script has | meaning | counted at a seat, by the [`Meter`] of its link to that peer |
//! |---|---|---|
//! | [`message`](Script::message) | one message from seat to seat | sent or received |
//! | [`at_once`](Script::at_once) | messages for which nobody waits before it has sent its own | what it sends, then what it receives |
//! | [`repeat`](Script::repeat) | a script so many times over | as if written out, in time that does not grow with the number |
//! | [`then`](Script::then) | a script after another | a wait that began before the border ends behind it |
//!
//! A message of no bytes is never sent, and leaves no trace in a script. A seat has one link for each other seat; a replay adds
//! them up.

use crate::{Meter, Traffic};

/// Who, among those that take part: a number, without saying what sits there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seat(pub u8);

/// One message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message {
    /// Who sends it.
    pub from: Seat,
    /// Who receives it.
    pub to: Seat,
    /// Its length.
    pub bytes: usize,
}

/// The messages of a dialogue, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Script {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Message(Message),
    AtOnce(Vec<Message>),
    Repeat(usize, Script),
}

impl Script {
    /// Adds a message.
    pub fn message(&mut self, message: Message) {
        assert!(message.from != message.to, "a message goes to another seat");
        if message.bytes == 0 {
            return;
        }
        // Equal messages in a row are a repetition: a layer's answers are often of one length.
        match self.parts.last_mut() {
            Some(Part::Repeat(count, round)) if round.parts == [Part::Message(message)] => *count += 1,
            Some(last) if *last == Part::Message(message) => {
                *last = Part::Repeat(2, Self { parts: vec![Part::Message(message)] });
            }
            Some(_) | None => self.parts.push(Part::Message(message)),
        }
    }

    /// Adds messages for which no seat waits before it has sent its own.
    pub fn at_once(&mut self, messages: impl IntoIterator<Item = Message>) {
        let messages: Vec<Message> = messages.into_iter().filter(|message| message.bytes > 0).collect();
        assert!(messages.iter().all(|message| message.from != message.to), "a message goes to another seat");
        if !messages.is_empty() {
            self.parts.push(Part::AtOnce(messages));
        }
    }

    /// Adds a script `count` times over.
    pub fn repeat(&mut self, count: usize, script: impl Into<Script>) {
        let script = script.into();
        match count {
            0 => {}
            1 => self.then(script),
            _ if script.parts.is_empty() => {}
            _ => self.parts.push(Part::Repeat(count, script)),
        }
    }

    /// Adds another script.
    pub fn then(&mut self, next: Script) {
        self.parts.extend(next.parts);
    }

    /// All messages, repetitions written out. Those at once stand in the order in which they were given.
    pub fn messages(&self) -> Vec<Message> {
        let mut all = Vec::new();
        for part in &self.parts {
            match part {
                Part::Message(message) => all.push(*message),
                Part::AtOnce(messages) => all.extend(messages),
                Part::Repeat(count, script) => {
                    let once = script.messages();
                    (0..*count).for_each(|_| all.extend(&once));
                }
            }
        }
        all
    }

    /// Lengths of all that `from` sends to `to`, in order: what an onlooker of that direction sees.
    pub fn lengths(&self, from: impl Into<Seat>, to: impl Into<Seat>) -> Vec<usize> {
        let (from, to) = (from.into(), to.into());
        let of = |message: &Message| ((message.from, message.to) == (from, to)).then_some(message.bytes);
        self.messages().iter().filter_map(of).collect()
    }

    /// Bytes of all messages.
    pub fn bytes(&self) -> u64 {
        let sum = |messages: &[Message]| messages.iter().map(|message| message.bytes as u64).sum::<u64>();
        let of = |part: &Part| match part {
            Part::Message(message) => message.bytes as u64,
            Part::AtOnce(messages) => sum(messages),
            Part::Repeat(count, script) => *count as u64 * script.bytes(),
        };
        self.parts.iter().map(of).sum()
    }

    /// What a seat's channels count when they begin with nothing unanswered.
    pub fn traffic(&self, seat: impl Into<Seat>) -> Traffic {
        Replay::new(seat).play(self)
    }
}

impl From<Message> for Script {
    fn from(message: Message) -> Self {
        let mut script = Self::default();
        script.message(message);
        script
    }
}

impl FromIterator<Script> for Script {
    fn from_iter<I: IntoIterator<Item = Script>>(scripts: I) -> Self {
        let mut all = Self::default();
        scripts.into_iter().for_each(|script| all.then(script));
        all
    }
}

/// The meters of one seat, to which scripts are played one after another.
#[derive(Clone, Debug)]
pub struct Replay {
    seat: Seat,
    /// By the peer's number.
    links: Vec<Meter>,
}

impl Replay {
    /// A seat whose links have nothing unanswered.
    pub fn new(seat: impl Into<Seat>) -> Self {
        Self { seat: seat.into(), links: Vec::new() }
    }

    /// Plays a script, and says what it adds.
    pub fn play(&mut self, script: &Script) -> Traffic {
        let before = self.traffic();
        for part in &script.parts {
            match part {
                Part::Message(message) => self.at_once(&[*message]),
                Part::AtOnce(messages) => self.at_once(messages),
                Part::Repeat(count, script) => self.repeat(*count, script),
            }
        }
        self.traffic().since(before)
    }

    /// What all links have carried.
    pub fn traffic(&self) -> Traffic {
        self.links.iter().map(Meter::traffic).sum()
    }

    /// What the link to one peer has carried.
    pub fn traffic_with(&self, peer: impl Into<Seat>) -> Traffic {
        self.links.get(usize::from(peer.into().0)).map_or_else(Traffic::default, Meter::traffic)
    }

    fn at_once(&mut self, messages: &[Message]) {
        let seat = self.seat;
        for message in messages.iter().filter(|message| message.from == seat) {
            self.link(message.to).sent(message.bytes);
        }
        for message in messages.iter().filter(|message| message.to == seat) {
            self.link(message.from).received(message.bytes);
        }
    }

    /// A round leaves every link as the round before it did, so that all rounds but the first count alike.
    fn repeat(&mut self, count: usize, script: &Script) {
        self.play(script);
        let first = self.clone();
        self.play(script);
        for (now, first) in self.links.iter_mut().zip(first.links) {
            let Traffic { bytes_sent, bytes_received, turns } = now.traffic.since(first.traffic);
            let more = count as u64 - 2;
            now.traffic += Traffic {
                bytes_sent: bytes_sent * more,
                bytes_received: bytes_received * more,
                turns: turns * more,
            };
        }
    }

    fn link(&mut self, peer: Seat) -> &mut Meter {
        let index = usize::from(peer.0);
        if self.links.len() <= index {
            self.links.resize_with(index + 1, Meter::default);
        }
        &mut self.links[index]
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::Channel;
    use crate::memory::{MemoryChannel, pair, play};

    const A: Seat = Seat(0);
    const B: Seat = Seat(1);
    const C: Seat = Seat(2);

    fn message(from: Seat, to: Seat, bytes: usize) -> Message {
        Message { from, to, bytes }
    }

    /// A script of three seats, different for each seed, with repetitions within repetitions.
    fn drawn(seed: &mut u32, depth: u32) -> Script {
        let mut next = |below: u32| {
            *seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (*seed >> 16) % below
        };
        let mut script = Script::default();
        for _ in 0..next(5) {
            let from = next(3) as u8;
            let one = message(Seat(from), Seat((from + 1 + next(2) as u8) % 3), next(4) as usize);
            let other = message(Seat((from + 1) % 3), Seat(from), next(4) as usize);
            match next(4) {
                0 if depth > 0 => {
                    let count = next(5) as usize;
                    script.repeat(count, drawn(seed, depth - 1));
                    return script;
                }
                0 | 1 => script.at_once([one, other]),
                _ => script.message(one),
            }
        }
        script
    }

    /// The same without repetitions.
    fn written_out(script: &Script) -> Script {
        let mut out = Script::default();
        for part in &script.parts {
            match part {
                Part::Message(message) => out.message(*message),
                Part::AtOnce(messages) => out.at_once(messages.clone()),
                Part::Repeat(count, script) => (0..*count).for_each(|_| out.then(written_out(script))),
            }
        }
        out
    }

    #[test]
    fn a_wait_after_a_send_is_a_turn_wherever_the_border_lies() {
        let mut replay = Replay::new(A);
        let one = |from, to, bytes| Script::from(message(from, to, bytes));
        assert_eq!(
            replay.play(&one(A, B, 3)),
            Traffic { bytes_sent: 3, bytes_received: 0, turns: 0 },
            "nothing is awaited yet"
        );
        assert_eq!(replay.play(&Script::default()), Traffic::default());
        assert_eq!(replay.play(&one(B, A, 2)), Traffic { bytes_sent: 0, bytes_received: 2, turns: 1 });
        assert_eq!(replay.play(&one(B, A, 1)), Traffic { bytes_sent: 0, bytes_received: 1, turns: 0 });
        assert_eq!(replay.traffic(), Traffic { bytes_sent: 3, bytes_received: 3, turns: 1 });
    }

    #[test]
    fn parts_add_up_to_the_whole_and_repetitions_equal_what_is_written_out() {
        let mut seed = 1;
        for case in 0..2000 {
            let (first, second) = (drawn(&mut seed, 3), drawn(&mut seed, 3));
            let mut whole = first.clone();
            whole.then(second.clone());
            assert_eq!(whole.messages(), written_out(&whole).messages(), "case {case}");
            let bytes: usize = whole.messages().iter().map(|message| message.bytes).sum();
            assert_eq!(whole.bytes(), bytes as u64, "case {case}");
            for seat in [A, B, C] {
                let mut replay = Replay::new(seat);
                let parts = replay.play(&first) + replay.play(&second);
                assert_eq!(parts, whole.traffic(seat), "case {case}");
                assert_eq!(parts, written_out(&whole).traffic(seat), "case {case}");
            }
        }
    }

    #[test]
    fn a_repetition_is_not_written_out_to_be_counted() {
        let mut round = Script::from(message(A, B, 3));
        round.message(message(B, A, 5));
        let mut script = Script::default();
        script.repeat(1 << 40, round);
        let turns = 1 << 40;
        let expected = Traffic { bytes_sent: 3 << 40, bytes_received: 5 << 40, turns };
        assert_eq!(script.traffic(A), expected);
        assert_eq!(script.traffic(B), Traffic { turns: turns - 1, ..mirrored(expected) });
    }

    fn mirrored(traffic: Traffic) -> Traffic {
        Traffic { bytes_sent: traffic.bytes_received, bytes_received: traffic.bytes_sent, ..traffic }
    }

    #[test]
    fn a_script_counts_what_a_real_channel_does() {
        let mut script = Script::default();
        script.message(message(B, A, 3));
        script.message(message(A, B, 0));
        script.message(message(A, B, 5));
        script.at_once([message(A, B, 7), message(B, A, 11)]);
        let mut round = Script::from(message(A, B, 2));
        round.message(message(B, A, 1));
        script.repeat(3, round);
        let say = |channel: &mut MemoryChannel, bytes| channel.send(&vec![0; bytes]).unwrap();
        let hear = |channel: &mut MemoryChannel, bytes| drop(channel.receive(bytes).unwrap());
        let played = play(
            |channel| {
                hear(channel, 3);
                say(channel, 5);
                channel.exchange(&[0; 7], 11).unwrap();
                for _ in 0..3 {
                    say(channel, 2);
                    hear(channel, 1);
                }
            },
            |channel| {
                say(channel, 3);
                hear(channel, 5);
                channel.exchange(&[0; 11], 7).unwrap();
                for _ in 0..3 {
                    hear(channel, 2);
                    say(channel, 1);
                }
            },
        );
        assert_eq!(played.left_traffic, script.traffic(A));
        assert_eq!(played.right_traffic, script.traffic(B));
        assert_eq!(script.lengths(A, B), [5, 7, 2, 2, 2]);
        assert_eq!(script.traffic(C), Traffic::default());
    }

    #[test]
    fn a_seat_has_a_meter_for_each_of_its_links() {
        // A asks both others, B answers at once, C only after B has told it something.
        let mut script = Script::default();
        script.message(message(A, B, 1));
        script.message(message(A, C, 2));
        script.message(message(B, A, 3));
        script.message(message(B, C, 4));
        script.message(message(C, A, 5));
        script.message(message(C, B, 6));

        let wait = Duration::from_secs(60);
        let ((mut ab, mut ba), (mut ac, mut ca), (mut bc, mut cb)) = (pair(wait), pair(wait), pair(wait));
        std::thread::scope(|scope| {
            let (ab, ac) = (&mut ab, &mut ac);
            let (ba, bc, ca, cb) = (&mut ba, &mut bc, &mut ca, &mut cb);
            scope.spawn(move || {
                ab.send(&[0; 1]).unwrap();
                ac.send(&[0; 2]).unwrap();
                ab.receive(3).unwrap();
                ac.receive(5).unwrap();
            });
            scope.spawn(move || {
                ba.receive(1).unwrap();
                ba.send(&[0; 3]).unwrap();
                bc.send(&[0; 4]).unwrap();
                bc.receive(6).unwrap();
            });
            scope.spawn(move || {
                ca.receive(2).unwrap();
                cb.receive(4).unwrap();
                ca.send(&[0; 5]).unwrap();
                cb.send(&[0; 6]).unwrap();
            });
        });

        let links = [[&ab, &ac], [&ba, &bc], [&ca, &cb]];
        for (seat, peers, links) in [(A, [B, C], links[0]), (B, [A, C], links[1]), (C, [A, B], links[2])] {
            let mut replay = Replay::new(seat);
            let whole = replay.play(&script);
            assert_eq!(whole, links[0].traffic() + links[1].traffic(), "{seat:?}");
            for (peer, link) in peers.into_iter().zip(links) {
                assert_eq!(replay.traffic_with(peer), link.traffic(), "{seat:?} with {peer:?}");
            }
        }
        assert_eq!(script.traffic(A), Traffic { bytes_sent: 3, bytes_received: 8, turns: 2 });
    }

    #[test]
    #[should_panic(expected = "a message goes to another seat")]
    fn nobody_speaks_to_itself() {
        Script::default().message(message(A, A, 1));
    }
}
