//! How values are written in records and in rows of the view.

use std::collections::HashMap;
use std::sync::Arc;

use address::Domain;
use bytes::Bytes;
use compact_str::CompactString;
use journal::{DecodeError, Decoder, Encoder, Place};

use crate::counters::Counters;
use crate::id::{NameId, TransferId};
use crate::message_row::{Grouped, Message};
use crate::{
    BodyId, EmailId, Flags, Keyword, MailboxId, MailboxPath, ModSeq, SpecialUse, ThreadId, Uid, UidSet,
    UidValidity,
};

/// A value with one written form.
pub(crate) trait Coded: Sized {
    fn put(&self, encoder: &mut Encoder);
    fn take(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError>;
}

/// The newest version of records and rows; the first field of each.
const VERSION: u64 = 1;

/// A record or row: its version, then the value.
pub(crate) fn encoded<T: Coded>(value: &T) -> Bytes {
    let mut encoder = Encoder::versioned(VERSION);
    value.put(&mut encoder);
    encoder.finish().into()
}

/// Reads back the whole of what [`encoded`] wrote.
pub(crate) fn decoded<T: Coded>(bytes: &[u8]) -> Result<T, DecodeError> {
    let mut decoder = Decoder::new(bytes);
    decoder.version(VERSION)?;
    let value = T::take(&mut decoder)?;
    decoder.finish()?;
    Ok(value)
}

/// Writes a struct as its fields, in the order given.
macro_rules! coded_struct {
    ($type:ident { $($field:ident),+ $(,)? }) => {
        impl $crate::codec::Coded for $type {
            fn put(&self, encoder: &mut journal::Encoder) {
                $($crate::codec::Coded::put(&self.$field, encoder);)+
            }

            fn take(decoder: &mut journal::Decoder<'_>) -> Result<Self, journal::DecodeError> {
                Ok(Self { $($field: $crate::codec::Coded::take(decoder)?),+ })
            }
        }
    };
}
pub(crate) use coded_struct;

/// Writes a value as another one: how to get at that and back.
macro_rules! coded_as {
    ($type:ty, $inner:ty, $to:expr, $from:expr) => {
        impl Coded for $type {
            fn put(&self, encoder: &mut Encoder) {
                let to: fn(&$type) -> $inner = $to;
                to(self).put(encoder);
            }

            fn take(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
                let from: fn($inner) -> Option<$type> = $from;
                from(<$inner>::take(decoder)?).ok_or(DecodeError::Invalid(stringify!($type)))
            }
        }
    };
}

coded_as!(u32, u64, |value| u64::from(*value), |value| value.try_into().ok());
coded_as!(Uid, u32, |uid| uid.number(), Uid::new);
coded_as!(UidValidity, u32, |validity| validity.number(), UidValidity::new);
coded_as!(ModSeq, u64, |modseq| modseq.number(), |number| Some(ModSeq::new(number)));
coded_as!(BodyId, u64, |id| id.0, |number| Some(BodyId(number)));
coded_as!(MailboxId, [u8; 8], |id| id.0.to_be_bytes(), |bytes| Some(MailboxId(u64::from_be_bytes(bytes))));
coded_as!(NameId, [u8; 8], |id| id.0.to_be_bytes(), |bytes| Some(NameId(u64::from_be_bytes(bytes))));
coded_as!(TransferId, [u8; 8], |id| id.0.to_be_bytes(), |bytes| Some(TransferId(u64::from_be_bytes(bytes))));
coded_as!(EmailId, [u8; 16], |id| id.0.to_be_bytes(), |bytes| Some(EmailId(u128::from_be_bytes(bytes))));
coded_as!(ThreadId, [u8; 16], |id| id.0.to_be_bytes(), |bytes| Some(ThreadId(u128::from_be_bytes(bytes))));
coded_as!(SpecialUse, u64, |special| *special as u64, |byte| SpecialUse::from_byte(byte.try_into().ok()?));
coded_as!(Domain, CompactString, |domain| domain.as_str().into(), |text| Domain::parse(&text).ok());
coded_as!(Keyword, CompactString, |keyword| keyword.as_str().into(), |text| Some(Keyword::stored(text)));

impl Coded for u64 {
    fn put(&self, encoder: &mut Encoder) {
        encoder.uint(*self);
    }

    fn take(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        decoder.uint()
    }
}

impl Coded for i64 {
    fn put(&self, encoder: &mut Encoder) {
        encoder.int(*self);
    }

    fn take(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        decoder.int()
    }
}

impl Coded for bool {
    fn put(&self, encoder: &mut Encoder) {
        encoder.bool(*self);
    }

    fn take(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        decoder.bool()
    }
}

impl<const BYTES: usize> Coded for [u8; BYTES] {
    fn put(&self, encoder: &mut Encoder) {
        encoder.raw().extend_from_slice(self);
    }

    fn take(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let rest = decoder.raw();
        let (bytes, after) = rest.split_first_chunk().ok_or(DecodeError::Truncated)?;
        *rest = after;
        Ok(*bytes)
    }
}

impl Coded for CompactString {
    fn put(&self, encoder: &mut Encoder) {
        encoder.text(self);
    }

    fn take(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        decoder.text().map(Self::from)
    }
}

impl Coded for Bytes {
    fn put(&self, encoder: &mut Encoder) {
        encoder.bytes(self);
    }

    fn take(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        decoder.bytes().map(Self::copy_from_slice)
    }
}

impl Coded for Place {
    fn put(&self, encoder: &mut Encoder) {
        self.encode(encoder);
    }

    fn take(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        Self::decode(decoder)
    }
}

impl<T: Coded> Coded for Option<T> {
    fn put(&self, encoder: &mut Encoder) {
        encoder.option(self.as_ref(), |encoder, value| value.put(encoder));
    }

    fn take(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        decoder.option(T::take)
    }
}

impl<T: Coded> Coded for Vec<T> {
    fn put(&self, encoder: &mut Encoder) {
        encoder.list(self, |encoder, value| value.put(encoder));
    }

    fn take(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        decoder.list(T::take)
    }
}

impl<A: Coded, B: Coded> Coded for (A, B) {
    fn put(&self, encoder: &mut Encoder) {
        self.0.put(encoder);
        self.1.put(encoder);
    }

    fn take(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        Ok((A::take(decoder)?, B::take(decoder)?))
    }
}

impl Coded for Flags {
    fn put(&self, encoder: &mut Encoder) {
        encoder.byte(self.bits());
        encoder.list(self.keywords(), |encoder, keyword| keyword.put(encoder));
    }

    fn take(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        Ok(Flags::stored(decoder.byte()?, Vec::take(decoder)?))
    }
}

/// Runs as the distance from the run before and the length less one.
impl Coded for UidSet {
    fn put(&self, encoder: &mut Encoder) {
        encoder.uint(self.runs().count() as u64);
        let mut after = 0;
        for run in self.runs() {
            (run.start() - after).put(encoder);
            (run.end() - run.start()).put(encoder);
            after = *run.end();
        }
    }

    fn take(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let mut set = UidSet::new();
        let mut after = 0u32;
        for (distance, length) in Vec::<(u32, u32)>::take(decoder)? {
            let first = after.checked_add(distance).filter(|first| *first > after);
            let last = first.and_then(|first| first.checked_add(length));
            let (first, last) = first.zip(last).ok_or(DecodeError::Invalid("uid set"))?;
            set.push_run(first, last);
            after = last;
        }
        Ok(set)
    }
}

impl Coded for MailboxPath {
    fn put(&self, encoder: &mut Encoder) {
        self.domain().put(encoder);
        self.owner().map(CompactString::from).put(encoder);
        encoder.list(self.components(), |encoder, component| component.put(encoder));
    }

    fn take(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let (domain, owner) = (Domain::take(decoder)?, Coded::take(decoder)?);
        Ok(Self::from_parts(domain, owner, Vec::take(decoder)?))
    }
}

impl<T: Coded> Coded for Arc<T> {
    fn put(&self, encoder: &mut Encoder) {
        T::put(self, encoder);
    }

    fn take(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        T::take(decoder).map(Arc::new)
    }
}

/// What is written of a message besides its flags.
trait Flagged: Sized {
    fn flags(&self) -> &Flags;
    fn put_rest(&self, encoder: &mut Encoder);
    fn take_rest(decoder: &mut Decoder<'_>, flags: Flags) -> Result<Self, DecodeError>;
}

impl Flagged for Message {
    fn flags(&self) -> &Flags {
        &self.flags
    }

    fn put_rest(&self, encoder: &mut Encoder) {
        let Self { uid, modseq, flags: _, internal_date, save_date, size, body, email_id, thread_id } = self;
        (*uid, *modseq).put(encoder);
        (*internal_date, *save_date).put(encoder);
        (*size, *body).put(encoder);
        (*email_id, *thread_id).put(encoder);
    }

    fn take_rest(decoder: &mut Decoder<'_>, flags: Flags) -> Result<Self, DecodeError> {
        let (uid, modseq) = Coded::take(decoder)?;
        let (internal_date, save_date) = Coded::take(decoder)?;
        let (size, body) = Coded::take(decoder)?;
        let (email_id, thread_id) = Coded::take(decoder)?;
        Ok(Self { uid, modseq, flags, internal_date, save_date, size, body, email_id, thread_id })
    }
}

impl Flagged for (Uid, Message) {
    fn flags(&self) -> &Flags {
        &self.1.flags
    }

    fn put_rest(&self, encoder: &mut Encoder) {
        self.0.put(encoder);
        self.1.put_rest(encoder);
    }

    fn take_rest(decoder: &mut Decoder<'_>, flags: Flags) -> Result<Self, DecodeError> {
        Ok((Uid::take(decoder)?, Message::take_rest(decoder, flags)?))
    }
}

/// Each set of flags once, then the messages, each with the number of its set.
impl<T: Flagged> Coded for Grouped<T> {
    fn put(&self, encoder: &mut Encoder) {
        let mut numbers = HashMap::new();
        let mut sets: Vec<Flags> = Vec::new();
        for message in self.iter() {
            numbers.entry(message.flags()).or_insert_with(|| {
                sets.push(message.flags().clone());
                sets.len() as u64 - 1
            });
        }
        sets.put(encoder);
        encoder.list(self, |encoder, message| {
            encoder.uint(numbers[message.flags()]);
            message.put_rest(encoder);
        });
    }

    fn take(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let sets = Vec::<Flags>::take(decoder)?;
        let messages = decoder.list(|decoder| {
            let flags = usize::try_from(decoder.uint()?).ok().and_then(|number| sets.get(number));
            T::take_rest(decoder, flags.ok_or(DecodeError::Invalid("number of flags"))?.clone())
        });
        messages.map(Grouped)
    }
}

coded_struct!(Counters { uid_next, modseq, messages, unseen, deleted, bytes, recent_from });
coded_struct!(Message { uid, modseq, flags, internal_date, save_date, size, body, email_id, thread_id });

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::SystemFlag;

    fn flags() -> impl Strategy<Value = Flags> {
        let keywords = prop::collection::vec("[a-zA-Z$][a-z0-9]{0,8}", 0..4);
        (0u8..32, keywords).prop_map(|(bits, keywords)| {
            let keywords = keywords.iter().map(|text| Keyword::parse(text).unwrap());
            Flags::stored(bits, keywords.collect())
        })
    }

    proptest! {
        #[test]
        fn messages_round_trip(uid in 1u32.., numbers: [u64; 3], dates: [i64; 2], ids: [u128; 2], flags in flags()) {
            let message = Message {
                uid: Uid::new(uid).unwrap(),
                modseq: ModSeq::new(numbers[0]),
                flags,
                internal_date: dates[0],
                save_date: dates[1],
                size: numbers[1],
                body: BodyId(numbers[2]),
                email_id: EmailId(ids[0]),
                thread_id: ThreadId(ids[1]),
            };
            prop_assert_eq!(decoded::<Message>(&encoded(&message)), Ok(message));
        }

        #[test]
        fn uid_sets_round_trip(numbers in prop::collection::vec(1u32.., 0..20)) {
            let set: UidSet = numbers.into_iter().filter_map(Uid::new).collect();
            prop_assert_eq!(decoded::<UidSet>(&encoded(&set)), Ok(set));
        }

        #[test]
        fn any_bytes_decode_or_are_refused(bytes: Vec<u8>) {
            let _ = decoded::<Grouped<Message>>(&bytes);
            let _ = decoded::<UidSet>(&bytes);
            let _ = decoded::<MailboxPath>(&bytes);
        }
    }

    #[test]
    fn flags_that_many_messages_have_are_written_once() {
        let keywords = (0..7).map(|n| Keyword::parse(&format!("{n:0250}")).unwrap());
        let flags = Flags::new([], keywords).unwrap();
        let message = |uid: u32| Message {
            uid: Uid::new(uid).unwrap(),
            modseq: ModSeq::new(1),
            flags: flags.clone(),
            internal_date: 0,
            save_date: 0,
            size: 1,
            body: BodyId(1),
            email_id: EmailId(1),
            thread_id: ThreadId(1),
        };
        let messages = Grouped((1..=1_000).map(message).collect::<Vec<_>>());
        let bytes = encoded(&messages);
        assert!(bytes.len() < 2_048 + 1_000 * 96, "{}", bytes.len());
        let read = decoded::<Grouped<Message>>(&bytes).unwrap();
        assert_eq!(read[0].flags.keywords_at(), read[999].flags.keywords_at(), "and held once");
        assert_eq!(read, messages);
    }

    #[test]
    fn a_keyword_of_a_time_with_other_limits_is_read() {
        let long = Flags::stored(0, vec![Keyword::stored("k".repeat(limits::KEYWORD_BYTES_MAX + 1).into())]);
        assert_eq!(decoded::<Flags>(&encoded(&long)), Ok(long));
    }

    #[test]
    fn a_row_of_a_newer_version_is_refused() {
        let mut bytes = encoded(&Flags::from_iter([SystemFlag::Seen])).to_vec();
        bytes[0] = 2;
        assert_eq!(decoded::<Flags>(&bytes), Err(DecodeError::Version(2)));
    }
}
