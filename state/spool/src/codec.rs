//! The binary form of records and rows. Version 1.

use std::sync::Arc;

use address::{AccountName, Address, Domain, Envelope, Recipient};
use compact_str::CompactString;
use jiff::Timestamp;
use journal::{DecodeError, Decoder, Encoder, Lsn, Place};

use crate::audit::{AuditEvent, AuditNote};
use crate::entry::{Copy, Entry, Packing, Progress, State, Stored};
use crate::outcome::Diagnostic;
use crate::queue_id::QueueId;
use crate::record::{
    ADJUST, Adjusted, DELETE, Forgotten, MESSAGE, NotePlace, Noted, PROGRESS, Progressed, Said, What,
};
use crate::routed::{NextHop, Origin, Route};

/// The version that is written, and the newest that is read.
const VERSION: u64 = 1;

type Read<T> = Result<T, DecodeError>;

/// Writes what a record says.
pub(crate) fn said_encode(said: &Said) -> Vec<u8> {
    let mut out = Encoder::versioned(VERSION);
    out.uint(said.queue_id.as_u64());
    match &said.what {
        What::Message(entry) => entry_put(&mut out, entry, &entry.recipients),
        What::Progressed(progressed) => progressed_put(&mut out, progressed),
        What::Adjusted(adjusted) => adjusted_put(&mut out, adjusted),
        What::Deleted => {}
    }
    out.list(&said.notes, note_put);
    out.finish()
}

/// Reads a record of this kind; none for a kind that is not known.
pub(crate) fn said_decode(kind: u16, bytes: &[u8]) -> Read<Option<Said>> {
    let mut input = Decoder::new(bytes);
    input.version(VERSION)?;
    let queue_id = QueueId::from_u64(input.uint()?);
    let what = match kind {
        MESSAGE => What::Message(Box::new(entry_take(&mut input, queue_id)?)),
        PROGRESS => What::Progressed(progressed_take(&mut input)?),
        ADJUST => What::Adjusted(adjusted_take(&mut input)?),
        DELETE => What::Deleted,
        _ => return Ok(None),
    };
    let notes = input.list(note_take)?;
    input.finish()?;
    Ok(Some(Said { queue_id, what, notes }))
}

/// Writes audit notes said anew.
pub(crate) fn noted_encode(noted: &Noted) -> Vec<u8> {
    let mut out = Encoder::versioned(VERSION);
    out.uint(noted.queue_id.as_u64());
    out.option(noted.message_id.as_deref(), Encoder::text);
    out.list(&noted.notes, |out, (place, note)| {
        note_place_put(out, place);
        note_put(out, note);
    });
    out.finish()
}

/// Reads audit notes said anew.
pub(crate) fn noted_decode(bytes: &[u8]) -> Read<Noted> {
    let mut input = Decoder::new(bytes);
    input.version(VERSION)?;
    let noted = Noted {
        queue_id: QueueId::from_u64(input.uint()?),
        message_id: input.option(compact_take)?,
        notes: input.list(|input| Ok((note_place_take(input)?, note_take(input)?)))?,
    };
    input.finish()?;
    Ok(noted)
}

/// Writes which audit notes are over.
pub(crate) fn forgotten_encode(forgotten: &Forgotten) -> Vec<u8> {
    let mut out = Encoder::versioned(VERSION);
    out.uint(forgotten.queue_id.as_u64());
    out.option(forgotten.message_id.as_deref(), Encoder::text);
    out.list(&forgotten.notes, note_place_put);
    out.finish()
}

/// Reads which audit notes are over.
pub(crate) fn forgotten_decode(bytes: &[u8]) -> Read<Forgotten> {
    let mut input = Decoder::new(bytes);
    input.version(VERSION)?;
    let forgotten = Forgotten {
        queue_id: QueueId::from_u64(input.uint()?),
        message_id: input.option(compact_take)?,
        notes: input.list(note_place_take)?,
    };
    input.finish()?;
    Ok(forgotten)
}

/// Writes the row of a message, whose recipients have rows of their own.
pub(crate) fn entry_encode(entry: &Entry) -> Vec<u8> {
    let mut out = Encoder::versioned(VERSION);
    entry_put(&mut out, entry, &[]);
    out.finish()
}

/// Reads the row of a message, without its recipients.
pub(crate) fn entry_decode(queue_id: QueueId, bytes: &[u8]) -> Read<Entry> {
    let mut input = Decoder::new(bytes);
    input.version(VERSION)?;
    let entry = entry_take(&mut input, queue_id)?;
    input.finish()?;
    Ok(entry)
}

/// Writes the row of a recipient.
pub(crate) fn copy_encode(copy: &Copy) -> Vec<u8> {
    let mut out = Encoder::versioned(VERSION);
    copy_put(&mut out, copy);
    out.finish()
}

/// Reads the row of a recipient.
pub(crate) fn copy_decode(bytes: &[u8]) -> Read<Copy> {
    let mut input = Decoder::new(bytes);
    input.version(VERSION)?;
    let copy = copy_take(&mut input)?;
    input.finish()?;
    Ok(copy)
}

/// Writes the row of an audit note.
pub(crate) fn note_encode(note: &AuditNote) -> Vec<u8> {
    let mut out = Encoder::versioned(VERSION);
    note_put(&mut out, note);
    out.finish()
}

/// Reads the row of an audit note.
pub(crate) fn note_decode(bytes: &[u8]) -> Read<AuditNote> {
    let mut input = Decoder::new(bytes);
    input.version(VERSION)?;
    note_take(&mut input)
}

fn entry_put(out: &mut Encoder, entry: &Entry, recipients: &[Arc<Copy>]) {
    origin_put(out, &entry.origin);
    let envelope = Envelope {
        reverse_path: entry.reverse_path.clone(),
        recipients: Vec::new(),
        params: entry.params.clone(),
    };
    envelope.encode(out.raw());
    out.uint(entry.bytes);
    out.option(entry.message_id.as_deref(), Encoder::text);
    stored_put(out, entry.body);
    out.list(recipients, |out, copy| copy_put(out, copy));
    out.option(entry.held.as_deref(), Encoder::text);
    out.uint(entry.strikes.into());
}

fn entry_take(input: &mut Decoder<'_>, queue_id: QueueId) -> Read<Entry> {
    let origin = origin_take(input)?;
    let Envelope { reverse_path, params, .. } =
        Envelope::decode(input.raw()).map_err(|_| DecodeError::Invalid("envelope"))?;
    Ok(Entry {
        queue_id,
        origin,
        reverse_path,
        params,
        bytes: input.uint()?,
        message_id: input.option(compact_take)?,
        body: stored_take(input)?,
        recipients: input.list(|input| Ok(copy_take(input)?.into()))?,
        held: input.option(text_take)?,
        strikes: input.uint_u32()?,
    })
}

fn origin_put(out: &mut Encoder, origin: &Origin) {
    out.text(&origin.role);
    out.option(origin.session.as_deref(), Encoder::text);
    out.text(&origin.peer);
    out.text(&origin.helo);
    out.option(origin.account.as_ref(), |out, account| out.text(&account.to_string()));
    out.bool(origin.tls);
    time_put(out, origin.arrival);
}

fn origin_take(input: &mut Decoder<'_>) -> Read<Origin> {
    Ok(Origin {
        role: compact_take(input)?,
        session: input.option(compact_take)?,
        peer: compact_take(input)?,
        helo: compact_take(input)?,
        account: input.option(account_take)?,
        tls: input.bool()?,
        arrival: time_take(input)?,
    })
}

fn stored_put(out: &mut Encoder, stored: Stored) {
    let (tag, place) = match stored {
        Stored::File => (0, None),
        Stored::Journal(Packing::Plain, place) => (1, place),
        Stored::Journal(Packing::Lz4, place) => (2, place),
    };
    out.byte(tag);
    if tag != 0 {
        out.option(place, |out, place| place.encode(out));
    }
}

fn stored_take(input: &mut Decoder<'_>) -> Read<Stored> {
    let packing = match input.byte()? {
        0 => return Ok(Stored::File),
        1 => Packing::Plain,
        2 => Packing::Lz4,
        _ => return Err(DecodeError::Invalid("body")),
    };
    Ok(Stored::Journal(packing, input.option(Place::decode)?))
}

fn copy_put(out: &mut Encoder, copy: &Copy) {
    copy.route.recipient.encode(out.raw());
    out.option(copy.route.rewritten.as_ref(), |out, address| out.text(&address.to_string()));
    next_hop_put(out, &copy.route.next_hop);
    progress_put(out, &copy.progress);
}

fn copy_take(input: &mut Decoder<'_>) -> Read<Copy> {
    let recipient = Recipient::decode(input.raw()).map_err(|_| DecodeError::Invalid("recipient"))?;
    let rewritten = input.option(address_take)?;
    let next_hop = next_hop_take(input)?;
    Ok(Copy { route: Route { recipient, rewritten, next_hop }, progress: progress_take(input)? })
}

fn next_hop_put(out: &mut Encoder, next_hop: &NextHop) {
    match next_hop {
        NextHop::Unrouted => out.byte(0),
        NextHop::Local { account } => {
            out.byte(1);
            out.text(&account.to_string());
        }
        NextHop::Mx { domain } => {
            out.byte(2);
            out.text(domain.as_str());
        }
        NextHop::Host { host, port } => {
            out.byte(3);
            out.text(host);
            out.uint((*port).into());
        }
    }
}

fn next_hop_take(input: &mut Decoder<'_>) -> Read<NextHop> {
    Ok(match input.byte()? {
        0 => NextHop::Unrouted,
        1 => NextHop::Local { account: account_take(input)? },
        2 => {
            NextHop::Mx { domain: Domain::parse(input.text()?).map_err(|_| DecodeError::Invalid("domain"))? }
        }
        3 => NextHop::Host {
            host: compact_take(input)?,
            port: input.uint()?.try_into().map_err(|_| DecodeError::Invalid("port"))?,
        },
        _ => return Err(DecodeError::Invalid("next hop")),
    })
}

fn progress_put(out: &mut Encoder, progress: &Progress) {
    out.byte(progress.state as u8);
    out.uint(progress.attempts.into());
    time_put(out, progress.next);
    out.option(progress.last.as_ref(), diagnostic_put);
    out.bool(progress.delay_reported);
}

fn progress_take(input: &mut Decoder<'_>) -> Read<Progress> {
    let state = match input.byte()? {
        0 => State::Pending,
        1 => State::Delivered,
        2 => State::Failed,
        3 => State::Expanded,
        _ => return Err(DecodeError::Invalid("state")),
    };
    Ok(Progress {
        state,
        attempts: input.uint_u32()?,
        next: time_take(input)?,
        last: input.option(diagnostic_take)?,
        delay_reported: input.bool()?,
    })
}

fn diagnostic_put(out: &mut Encoder, diagnostic: &Diagnostic) {
    out.option(diagnostic.remote.as_deref(), Encoder::text);
    out.option(diagnostic.code, |out, code| out.uint(code.into()));
    out.text(&diagnostic.status);
    out.text(&diagnostic.text);
}

fn diagnostic_take(input: &mut Decoder<'_>) -> Read<Diagnostic> {
    let code =
        |input: &mut Decoder<'_>| input.uint()?.try_into().map_err(|_| DecodeError::Invalid("reply code"));
    Ok(Diagnostic {
        remote: input.option(compact_take)?,
        code: input.option(code)?,
        status: compact_take(input)?,
        text: text_take(input)?,
    })
}

fn progressed_put(out: &mut Encoder, progressed: &Progressed) {
    out.list(&progressed.changed, |out, (index, progress)| {
        out.uint((*index).into());
        progress_put(out, progress);
    });
    out.uint(progressed.added_at.into());
    out.list(&progressed.added, copy_put);
}

fn progressed_take(input: &mut Decoder<'_>) -> Read<Progressed> {
    Ok(Progressed {
        changed: input.list(|input| Ok((input.uint_u32()?, progress_take(input)?)))?,
        added_at: input.uint_u32()?,
        added: input.list(copy_take)?,
    })
}

fn adjusted_put(out: &mut Encoder, adjusted: &Adjusted) {
    out.option(adjusted.held.as_deref(), Encoder::text);
    out.uint(adjusted.strikes.into());
    out.option(adjusted.next, time_put);
}

fn adjusted_take(input: &mut Decoder<'_>) -> Read<Adjusted> {
    Ok(Adjusted {
        held: input.option(text_take)?,
        strikes: input.uint_u32()?,
        next: input.option(time_take)?,
    })
}

fn note_put(out: &mut Encoder, note: &AuditNote) {
    time_put(out, note.time);
    out.text(&note.role);
    out.option(note.session.as_deref(), Encoder::text);
    out.byte(note.event as u8);
    out.text(&note.text);
}

fn note_take(input: &mut Decoder<'_>) -> Read<AuditNote> {
    Ok(AuditNote {
        time: time_take(input)?,
        role: compact_take(input)?,
        session: input.option(compact_take)?,
        event: AuditEvent::from_u8(input.byte()?).ok_or(DecodeError::Invalid("audit event"))?,
        text: text_take(input)?,
    })
}

fn note_place_put(out: &mut Encoder, place: &NotePlace) {
    out.uint(place.lsn.0);
    out.uint(place.number.into());
}

fn note_place_take(input: &mut Decoder<'_>) -> Read<NotePlace> {
    let lsn = Lsn(input.uint()?);
    let number = input.uint()?.try_into().map_err(|_| DecodeError::Invalid("number of an audit note"))?;
    Ok(NotePlace { lsn, number })
}

/// Milliseconds since 1970.
fn time_put(out: &mut Encoder, time: Timestamp) {
    out.int(time.as_millisecond());
}

fn time_take(input: &mut Decoder<'_>) -> Read<Timestamp> {
    Timestamp::from_millisecond(input.int()?).map_err(|_| DecodeError::Invalid("time"))
}

fn text_take(input: &mut Decoder<'_>) -> Read<String> {
    input.text().map(str::to_owned)
}

fn compact_take(input: &mut Decoder<'_>) -> Read<CompactString> {
    input.text().map(CompactString::from)
}

fn address_take(input: &mut Decoder<'_>) -> Read<Address> {
    Address::parse(input.text()?).map_err(|_| DecodeError::Invalid("address"))
}

fn account_take(input: &mut Decoder<'_>) -> Read<AccountName> {
    AccountName::parse(input.text()?).map_err(|_| DecodeError::Invalid("account"))
}

#[cfg(test)]
mod tests {
    use address::{MailParams, Notify, ReversePath};
    use journal::Record;
    use proptest::prelude::*;

    use super::*;
    use crate::record::Statement;

    fn time(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn diagnostic() -> Diagnostic {
        Diagnostic {
            remote: Some("mx.example.org".into()),
            code: Some(451),
            status: "4.7.1".into(),
            text: "later".into(),
        }
    }

    fn next_hop() -> impl Strategy<Value = NextHop> {
        prop_oneof![
            Just(NextHop::Unrouted),
            Just(NextHop::Local { account: AccountName::parse("user@example.com").unwrap() }),
            Just(NextHop::Mx { domain: Domain::parse("example.org").unwrap() }),
            any::<u16>().prop_map(|port| NextHop::Host { host: "relay.example.net".into(), port }),
        ]
    }

    fn progress() -> impl Strategy<Value = Progress> {
        let state = prop_oneof![
            Just(State::Pending),
            Just(State::Delivered),
            Just(State::Failed),
            Just(State::Expanded)
        ];
        (state, any::<u32>(), 0i64..1 << 33, any::<bool>(), any::<bool>()).prop_map(
            |(state, attempts, next, last, delay_reported)| Progress {
                state,
                attempts,
                next: time(next),
                last: last.then(diagnostic),
                delay_reported,
            },
        )
    }

    fn copy() -> impl Strategy<Value = Copy> {
        (next_hop(), progress(), any::<bool>(), 0u8..8).prop_map(|(next_hop, progress, rewritten, notify)| {
            let address = Address::parse("one@example.org").unwrap();
            let notify = Notify::when(notify & 1 > 0, notify & 2 > 0, notify & 4 > 0);
            let recipient = Recipient { address: address.clone(), notify, orcpt: None };
            Copy { route: Route { recipient, rewritten: rewritten.then_some(address), next_hop }, progress }
        })
    }

    fn entry() -> impl Strategy<Value = Entry> {
        let body = prop_oneof![
            Just(Stored::File),
            Just(Stored::Journal(Packing::Plain, None)),
            Just(Stored::Journal(
                Packing::Lz4,
                Some(Place { lsn: Lsn(7), segment: Lsn(1), offset: 99, len: 3, checksum: 4 })
            )),
        ];
        let recipients = proptest::collection::vec(copy().prop_map(Arc::new), 0..4);
        let held = proptest::option::of(".{0,20}");
        (body, recipients, held, any::<u64>(), any::<bool>()).prop_map(
            |(body, recipients, held, bytes, null)| Entry {
                queue_id: QueueId::from_u64(12_345),
                origin: Origin {
                    role: "mx".into(),
                    session: Some("0abc".into()),
                    peer: "192.0.2.1:25".into(),
                    helo: "client".into(),
                    account: null.then(|| AccountName::parse("user@example.com").unwrap()),
                    tls: null,
                    arrival: time(1_700_000_000),
                },
                reverse_path: ReversePath::parse(if null { "<>" } else { "<sender@example.com>" }).unwrap(),
                params: MailParams { smtputf8: null, size: Some(bytes), ..MailParams::default() },
                bytes,
                message_id: held.clone().map(CompactString::from),
                body,
                recipients,
                held,
                strikes: 2,
            },
        )
    }

    fn what() -> impl Strategy<Value = What> {
        let changed = proptest::collection::vec((any::<u32>(), progress()), 0..4);
        let progressed = (changed, any::<u32>(), proptest::collection::vec(copy(), 0..3))
            .prop_map(|(changed, added_at, added)| Progressed { changed, added_at, added });
        let adjusted = (proptest::option::of(".{0,20}"), any::<u32>(), proptest::option::of(0i64..1 << 33))
            .prop_map(|(held, strikes, next)| Adjusted { held, strikes, next: next.map(time) });
        prop_oneof![
            entry().prop_map(|entry| What::Message(Box::new(entry))),
            progressed.prop_map(What::Progressed),
            adjusted.prop_map(What::Adjusted),
            Just(What::Deleted),
        ]
    }

    proptest! {
        #[test]
        fn records_and_rows_round_trip(what in what(), text: String) {
            let note = AuditNote {
                time: time(5),
                role: "relay".into(),
                session: None,
                event: AuditEvent::Deferred,
                text,
            };
            prop_assert_eq!(note_decode(&note_encode(&note)), Ok(note.clone()));
            if let What::Message(entry) = &what {
                let row = Entry { recipients: Vec::new(), ..(**entry).clone() };
                prop_assert_eq!(entry_decode(entry.queue_id, &entry_encode(entry)), Ok(row));
                for copy in &entry.recipients {
                    prop_assert_eq!(copy_decode(&copy_encode(copy)), Ok((**copy).clone()));
                }
            }
            let said = Said { queue_id: QueueId::from_u64(12_345), what, notes: vec![note] };
            prop_assert_eq!(said_decode(said.what.kind(), &said_encode(&said)), Ok(Some(said)));
        }

        #[test]
        fn what_is_said_anew_of_the_audit_round_trips(lsn: u64, number: u16, text: String) {
            let (queue_id, message_id) = (QueueId::from_u64(12_345), Some(CompactString::from(&text)));
            let place = NotePlace { lsn: Lsn(lsn), number };
            let event = AuditEvent::Relayed;
            let note = AuditNote { time: time(5), role: "relay".into(), session: None, event, text };
            let noted = Noted { queue_id, message_id: message_id.clone(), notes: vec![(place, note)] };
            prop_assert_eq!(noted_decode(&noted_encode(&noted)), Ok(noted));
            let forgotten = Forgotten { queue_id, message_id, notes: vec![place] };
            prop_assert_eq!(forgotten_decode(&forgotten_encode(&forgotten)), Ok(forgotten));
        }

        #[test]
        fn any_bytes_are_read_or_refused(kind in 0u16..9, bytes: Vec<u8>) {
            let _ = Statement::decode(&Record::state(kind, bytes.clone()));
            let _ = entry_decode(QueueId::from_u64(1), &bytes);
            let _ = copy_decode(&bytes);
        }

        #[test]
        fn a_record_applied_twice_changes_nothing(entry in entry(), mut what in what()) {
            if let What::Progressed(progressed) = &mut what {
                progressed.added_at = entry.recipients.len() as u32;
            }
            let once = what.apply(Some(entry.clone()));
            if let Some(once) = once {
                prop_assert_eq!(what.apply(Some(once.clone())), Some(once));
            }
        }
    }

    #[test]
    fn audit_events_keep_their_numbers() {
        for number in 1..=16 {
            assert_eq!(AuditEvent::from_u8(number).unwrap() as u8, number);
        }
        assert_eq!(AuditEvent::from_u8(17), None);
    }
}
