//! SEARCH (RFC 3501 6.4.4; RFC 4731 3.1; RFC 7162 3.1.5).

use jiff::civil::Date;

use super::sequence_set;
use crate::cursor::{Cursor, Parsed, is_atom_char};
use crate::{Complaint, DateTest, Flag, Keyword, Numbering, Search, SearchKey, SearchReturns, date};

/// RFC 3501 9: `search = "SEARCH" [SP "CHARSET" SP astring] 1*(SP search-key)`, RFC 4466 2.6: with
/// `[SP "RETURN" SP "(" [search-return-opt *(SP search-return-opt)] ")"]` behind the verb
pub(super) fn search(cursor: &mut Cursor<'_>, by: Numbering) -> Parsed<Search> {
    cursor.space()?;
    let mut returns = None;
    if cursor.eat_word("RETURN") {
        cursor.space()?;
        returns = Some(search_returns(cursor)?);
        cursor.space()?;
    }
    let mut charset = b"UTF-8".to_vec();
    if cursor.eat_word("CHARSET") {
        cursor.space()?;
        charset = cursor.astring()?.into_owned();
        cursor.space()?;
    }
    // An unknown charset is a matter of its own, whatever the keys are.
    message::charset_decode(&charset, b"").ok_or(Complaint::Charset)?;
    let mut program = Program { cursor, charset: &charset, depth: 0, keys: 0 };
    let mut keys = vec![program.key()?];
    while !program.cursor.is_at_end() {
        program.cursor.space()?;
        keys.push(program.key()?);
    }
    Ok(Search { by, returns, key: all_of(keys) })
}

/// RFC 4731 4: `search-return-opt = "MIN" / "MAX" / "ALL" / "COUNT"`
fn search_returns(cursor: &mut Cursor<'_>) -> Parsed<SearchReturns> {
    let mut returns = SearchReturns::default();
    let named = cursor.list("a list of return options", |cursor| {
        let start = cursor.clone();
        match &cursor.word()?[..] {
            "MIN" => returns.min = true,
            "MAX" => returns.max = true,
            "ALL" => returns.all = true,
            "COUNT" => returns.count = true,
            _ => return start.expected("a return option"),
        }
        Ok(())
    })?;
    returns.all |= named.is_empty();
    Ok(returns)
}

/// Several keys are their intersection.
fn all_of(mut keys: Vec<SearchKey>) -> SearchKey {
    match keys.len() {
        1 => keys.remove(0),
        _ => SearchKey::And(keys),
    }
}

fn not(key: SearchKey) -> SearchKey {
    SearchKey::Not(Box::new(key))
}

struct Program<'c, 'l> {
    cursor: &'c mut Cursor<'l>,
    charset: &'c [u8],
    depth: usize,
    keys: usize,
}

impl Program<'_, '_> {
    /// RFC 3501 9: `search-key = ... / sequence-set / "(" search-key *(SP search-key) ")"`
    fn key(&mut self) -> Parsed<SearchKey> {
        self.depth += 1;
        if self.depth > limits::IMAP_SEARCH_DEPTH_MAX {
            return Err(Complaint::Limit { what: "deep a search program" });
        }
        self.keys += 1;
        if self.keys > limits::IMAP_SEARCH_KEYS_MAX {
            return Err(Complaint::Limit { what: "many search keys" });
        }
        let key = match self.cursor.peek() {
            Some(b'(') => self.group(),
            Some(b'0'..=b'9' | b'*') => sequence_set(self.cursor).map(SearchKey::Sequence),
            _ => self.named(),
        };
        self.depth -= 1;
        key
    }

    fn group(&mut self) -> Parsed<SearchKey> {
        self.cursor.expect(b'(', "a group of keys")?;
        let mut keys = vec![self.key()?];
        while !self.cursor.eat(b')') {
            self.cursor.space()?;
            keys.push(self.key()?);
        }
        Ok(all_of(keys))
    }

    fn named(&mut self) -> Parsed<SearchKey> {
        let start = self.cursor.clone();
        let name = self.cursor.word()?;
        if let Some(key) = flag_key(&name) {
            return Ok(key);
        }
        match self.with_argument(&name)? {
            Some(key) => Ok(key),
            None => start.expected("a search key"),
        }
    }

    /// The keys that take arguments; `None` for one that is not known.
    fn with_argument(&mut self, name: &str) -> Parsed<Option<SearchKey>> {
        Ok(Some(match name {
            "FROM" => SearchKey::From(self.text()?),
            "TO" => SearchKey::To(self.text()?),
            "CC" => SearchKey::Cc(self.text()?),
            "BCC" => SearchKey::Bcc(self.text()?),
            "SUBJECT" => SearchKey::Subject(self.text()?),
            "BODY" => SearchKey::Body(self.text()?),
            "TEXT" => SearchKey::Text(self.text()?),
            "HEADER" => SearchKey::Header { name: self.text()?.into(), value: self.text()? },
            "KEYWORD" => SearchKey::Has(self.keyword()?),
            "UNKEYWORD" => not(SearchKey::Has(self.keyword()?)),
            "LARGER" => SearchKey::Larger(self.number()?),
            "SMALLER" => SearchKey::Smaller(self.number()?),
            "BEFORE" => SearchKey::Internal(DateTest::Before, self.date()?),
            "ON" => SearchKey::Internal(DateTest::On, self.date()?),
            "SINCE" => SearchKey::Internal(DateTest::Since, self.date()?),
            "SENTBEFORE" => SearchKey::Sent(DateTest::Before, self.date()?),
            "SENTON" => SearchKey::Sent(DateTest::On, self.date()?),
            "SENTSINCE" => SearchKey::Sent(DateTest::Since, self.date()?),
            "UID" => SearchKey::Uid(super::spaced_set(self.cursor)?),
            "MODSEQ" => SearchKey::ModSeq(self.modseq()?),
            "NOT" => not(self.spaced_key()?),
            "OR" => SearchKey::Or(Box::new(self.spaced_key()?), Box::new(self.spaced_key()?)),
            _ => return Ok(None),
        }))
    }

    fn spaced_key(&mut self) -> Parsed<SearchKey> {
        self.cursor.space()?;
        self.key()
    }

    /// `SP astring`, decoded from the program's charset.
    fn text(&mut self) -> Parsed<String> {
        self.cursor.space()?;
        let bytes = self.cursor.astring()?;
        let text = message::charset_decode(self.charset, &bytes).ok_or(Complaint::Charset)?;
        Ok(text.into_owned())
    }

    /// `SP number`
    fn number(&mut self) -> Parsed<u64> {
        self.cursor.space()?;
        self.cursor.number64()
    }

    /// RFC 7162 7: `[SP entry-name SP entry-type-req] SP mod-sequence-valzer`,
    /// `entry-name = DQUOTE "/flags/" attr-flag DQUOTE`, `entry-type-req = "priv" / "shared" / "all"`
    fn modseq(&mut self) -> Parsed<u64> {
        self.cursor.space()?;
        if self.cursor.peek() == Some(b'"') {
            self.entry()?;
            self.cursor.space()?;
        }
        self.cursor.number64()
    }

    fn entry(&mut self) -> Parsed<()> {
        let start = self.cursor.clone();
        let name = self.cursor.string()?;
        let flag = name.strip_prefix(b"/flags/").filter(|flag| Flag::parse(flag).is_some());
        if flag.is_none() {
            return start.expected("the entry of a flag");
        }
        self.cursor.space()?;
        let scopes = ["priv", "shared", "all"];
        let known = scopes.into_iter().any(|scope| self.cursor.eat_word(scope));
        if known { Ok(()) } else { self.cursor.expected("priv, shared or all") }
    }

    /// `SP flag-keyword`
    fn keyword(&mut self) -> Parsed<Flag> {
        self.cursor.space()?;
        let start = self.cursor.clone();
        let keyword = Keyword::new(self.cursor.take_while(is_atom_char));
        keyword.map_or_else(|| start.expected("a keyword"), |keyword| Ok(Flag::Keyword(keyword)))
    }

    /// RFC 3501 9: `SP date`, `date = date-text / DQUOTE date-text DQUOTE`
    fn date(&mut self) -> Parsed<Date> {
        self.cursor.space()?;
        let start = self.cursor.clone();
        let text = self.cursor.astring()?;
        let text = std::str::from_utf8(&text).ok();
        text.and_then(date::date).map_or_else(|| start.expected("a date"), Ok)
    }
}

/// The keys that are questions about flags, and ALL.
fn flag_key(name: &str) -> Option<SearchKey> {
    let has = SearchKey::Has;
    Some(match name {
        "ALL" => SearchKey::All,
        "ANSWERED" => has(Flag::Answered),
        "DELETED" => has(Flag::Deleted),
        "DRAFT" => has(Flag::Draft),
        "FLAGGED" => has(Flag::Flagged),
        "RECENT" => has(Flag::Recent),
        "SEEN" => has(Flag::Seen),
        "UNANSWERED" => not(has(Flag::Answered)),
        "UNDELETED" => not(has(Flag::Deleted)),
        "UNDRAFT" => not(has(Flag::Draft)),
        "UNFLAGGED" => not(has(Flag::Flagged)),
        "UNSEEN" => not(has(Flag::Seen)),
        "OLD" => not(has(Flag::Recent)),
        "NEW" => SearchKey::And(vec![has(Flag::Recent), not(has(Flag::Seen))]),
        _ => return None,
    })
}
