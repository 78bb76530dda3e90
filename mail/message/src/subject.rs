//! The base subject (RFC 5256 2.1).

/// A subject without what replying and forwarding put around it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseSubject {
    /// What is compared, blanks collapsed; its case is kept.
    pub text: String,
    /// The subject was that of a reply or a forwarded message.
    pub is_reply_or_forward: bool,
}

/// The base subject of a decoded subject ([`crate::decode_header`]).
pub fn base_subject(subject: &str) -> BaseSubject {
    let collapsed = subject.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut text = &collapsed[..];
    let mut changed = false;
    loop {
        text = strip_trailers(text, &mut changed);
        text = strip_leaders(text, &mut changed);
        match forwarded(text) {
            Some(inner) => (text, changed) = (inner, true),
            None => break,
        }
    }
    BaseSubject { text: text.to_owned(), is_reply_or_forward: changed }
}

/// `subj-trailer = "(fwd)" / WSP`
fn strip_trailers<'s>(text: &'s str, changed: &mut bool) -> &'s str {
    let mut text = text.trim_end();
    while let Some(at) = text.len().checked_sub(5).filter(|&at| matches_at(text, at, "(fwd)")) {
        text = text[..at].trim_end();
        *changed = true;
    }
    text
}

fn matches_at(text: &str, at: usize, wanted: &str) -> bool {
    text.get(at..at + wanted.len()).is_some_and(|found| found.eq_ignore_ascii_case(wanted))
}

/// `subj-leader = (*subj-blob subj-refwd) / WSP`, then a `subj-blob` unless nothing would be left.
fn strip_leaders<'s>(text: &'s str, changed: &mut bool) -> &'s str {
    let mut text = text.trim_start();
    loop {
        if let Some(rest) = after_reply_mark(text) {
            *changed = true;
            text = rest.trim_start();
        } else if let Some(rest) = after_blob(text).filter(|rest| !rest.is_empty()) {
            text = rest;
        } else {
            return text;
        }
    }
}

/// `subj-refwd = ("re" / ("fw" ["d"])) *WSP [subj-blob] ":"`, after any blobs.
fn after_reply_mark(text: &str) -> Option<&str> {
    let mut text = text;
    while let Some(rest) = after_blob(text) {
        text = rest;
    }
    let mark = ["fwd", "re", "fw"].into_iter().find(|mark| matches_at(text, 0, mark))?;
    let rest = text[mark.len()..].trim_start();
    after_blob(rest).unwrap_or(rest).strip_prefix(':')
}

/// `subj-blob = "[" *BLOBCHAR "]" *WSP`
fn after_blob(text: &str) -> Option<&str> {
    let inner = text.strip_prefix('[')?;
    let end = inner.find(['[', ']'])?;
    inner[end..].strip_prefix(']').map(str::trim_start)
}

/// `subj-fwd = "[fwd:" subject "]"`
fn forwarded(text: &str) -> Option<&str> {
    matches_at(text, 0, "[fwd:").then(|| text[5..].strip_suffix(']'))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reply_and_forward_marks_are_taken_off() {
        let cases = [
            ("Re: a  b", "a b", true),
            ("RE: Fwd: [list] re[2]: a (fwd) (FWD)", "a", true),
            ("[Fwd: [x] Re: a ]", "a", true),
            ("[list] a", "a", false),
            ("[only]", "[only]", false),
            ("Regarding: a", "Regarding: a", false),
            ("a", "a", false),
            ("Re:", "", true),
        ];
        for (subject, text, is_reply_or_forward) in cases {
            let expected = BaseSubject { text: text.to_owned(), is_reply_or_forward };
            assert_eq!(base_subject(subject), expected, "{subject}");
        }
    }
}
