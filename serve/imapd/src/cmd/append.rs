//! APPEND (RFC 3501 6.3.11), with the APPENDUID of RFC 4315 3.
//!
//! The message passes from the wire to a body writer in pieces: in memory while it is small, in a file after
//! that. The OK is made from [`Appended`], which the store gives only after the sync.

use std::io;
use std::time::Duration;

use address::AccountName;
use disk::{Body, BodyWriter};
use imap::{
    Append, Code, CommandError, Frame, FrameError, Line, LiteralDecision, LiteralHeader, Request, response,
};
use jiff::Timestamp;
use mailstore::{AppendRequest, Appended, Mailbox, Mailstore};
use net::{Instant, deadline_in};

use super::select::open;
use super::store::store_flags;
use crate::bodies::Bodies;
use crate::channel::{Channel, ReadError};
use crate::refusal::{Done, DoneCode, Outcome, Refusal, Stop, try_create};

/// Why an APPEND did not end in OK.
pub(crate) enum AppendStop {
    Stop(Stop),
    /// A line that the client should not have sent: how to answer is in the error.
    Malformed(CommandError),
    /// Bytes behind the message that are no line at all.
    Unframed(FrameError),
}

impl<E: Into<Stop>> From<E> for AppendStop {
    fn from(error: E) -> Self {
        Self::Stop(error.into())
    }
}

/// The literal header of the message has come. What can be refused is refused now, before the message is
/// sent. `time_max` is for each piece of it: a large message may take long on a slow line.
pub(crate) async fn run(
    out: &mut Channel,
    store: &Mailstore,
    account: &AccountName,
    bodies: &Bodies,
    header: &LiteralHeader,
    asked: &Append,
    time_max: Duration,
) -> Result<Done, AppendStop> {
    let mailbox = match admit(store, account, bodies, asked) {
        Ok(mailbox) => mailbox,
        Err(stop) => {
            out.decide(LiteralDecision::Refuse);
            return Err(stop.into());
        }
    };
    out.decide(LiteralDecision::Stream);
    if !header.non_sync {
        response::continuation(out.text(), "Ready for the message");
    }
    let body = receive(out, bodies.writer(), time_max).await?;
    expect_end(out, deadline_in(time_max)).await?;
    let appended =
        store.append(request(&mailbox, asked, body?)?).await.map_err(|error| try_create(error.into()))?;
    Ok(done(&appended))
}

fn admit(store: &Mailstore, account: &AccountName, bodies: &Bodies, asked: &Append) -> Outcome<Mailbox> {
    if asked.octets > bodies.message_bytes_max {
        return Err(Refusal::no(Code::TooBig, "The message is too large").into());
    }
    store_flags(&asked.flags)?;
    open(store, account, &asked.mailbox).map_err(try_create)
}

/// Takes the whole literal, also when it cannot be kept: the rest of the command comes after it.
async fn receive(out: &mut Channel, writer: BodyWriter, time_max: Duration) -> Outcome<Outcome<Body>> {
    let mut kept = Ok(writer);
    while let Some(chunk) = out.literal_chunk(time_max).await? {
        kept = kept.and_then(|mut writer| writer.write(&chunk).map(|()| writer));
    }
    Ok(kept.and_then(BodyWriter::finish).map_err(|error| spool_refusal(&error).into()))
}

fn spool_refusal(error: &io::Error) -> Refusal {
    if disk::is_no_space(error) {
        telemetry::Fault::Temporary.log("message cannot be spooled", error);
        return Refusal::no_space();
    }
    telemetry::Fault::Local.log("message cannot be spooled", error);
    Refusal::no(Code::Unavailable, "The message cannot be stored now")
}

/// The command must end where the message ends.
async fn expect_end(out: &mut Channel, deadline: Instant) -> Result<(), AppendStop> {
    let line = match out.frame(deadline).await {
        Ok(Frame::Line(line)) => line,
        Ok(Frame::Literal(_)) => return Err(refuse_second(out)),
        Ok(Frame::NeedMore) => Line::new(""),
        Err(ReadError::Net(error)) => return Err(error.into()),
        Err(ReadError::Frame(error)) => return Err(AppendStop::Unframed(error)),
    };
    Request::parse(&line).map(drop).map_err(AppendStop::Malformed)
}

/// One APPEND, one message.
fn refuse_second(out: &mut Channel) -> AppendStop {
    out.decide(LiteralDecision::Refuse);
    Refusal::bad("APPEND takes one message").into()
}

fn request(mailbox: &Mailbox, asked: &Append, body: Body) -> Outcome<AppendRequest> {
    let internal_date = asked.internal_date.map_or_else(Timestamp::now, |date| date.timestamp);
    Ok(AppendRequest { mailbox: mailbox.id(), body, flags: store_flags(&asked.flags)?, internal_date })
}

fn done(appended: &Appended) -> Done {
    let (uid_validity, uid) = (appended.uid_validity().number(), appended.uid().number());
    Done::with(DoneCode::AppendUid { uid_validity, uid }, "APPEND completed")
}
