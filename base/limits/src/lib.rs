//! Every limit on what a peer controls, in one file, the unit last in each name.
//!
//! A limit that an operator may change is an option in `config` whose default stands here.
//! This crate holds numbers only: no types, no logic, no dependencies.

use std::time::Duration;

// ---- Connections -----------------------------------------------------------------------------

/// Connections that one listener holds at once.
pub const CONNECTIONS_MAX: usize = 10_000;
/// Connections from one address that one listener holds at once.
pub const CONNECTIONS_PER_ADDRESS_MAX: usize = 100;
/// Time for a TLS handshake.
pub const TLS_HANDSHAKE_TIME_MAX: Duration = Duration::from_secs(30);
/// Time in which a proxy must have sent its PROXY header.
pub const PROXY_HEADER_TIME_MAX: Duration = Duration::from_secs(5);
/// Bytes of a PROXY header of version 2, its extensions included.
pub const PROXY_HEADER_BYTES_MAX: usize = 4_096;
/// Time in which a write must get at least one byte further.
pub const WRITE_TIME_MAX: Duration = Duration::from_secs(300);
/// Time to reach another host by TCP.
pub const CONNECT_TIME_MAX: Duration = Duration::from_secs(30);
/// Bytes read from a connection ahead of the driver that takes them.
pub const WIRE_BUFFER_BYTES_MAX: usize = 64 * 1024;
/// Callers that wait for a role to take their in-memory pipe.
pub const PIPE_CALLERS_MAX: usize = 128;
/// Bytes buffered in each direction of an in-memory pipe.
pub const PIPE_BYTES_MAX: usize = 256 * 1024;
/// Time that sessions have to end after a stop was asked for.
pub const SHUTDOWN_GRACE_TIME: Duration = Duration::from_secs(10);

// ---- Message bodies --------------------------------------------------------------------------

/// Bytes of one message, headers included (the SIZE that is announced).
pub const MESSAGE_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Bytes by which a message may outgrow the limit that its sender was told, by the fields that its way here adds.
pub const TRACE_BYTES_MAX: u64 = 64 * 1024;
/// Bytes of one message in a mail store, whatever a listener takes: sizes in IMAP have 32 bits (RFC 3501 9).
pub const STORED_MESSAGE_BYTES_MAX: u64 = u32::MAX as u64;
/// Bytes of a body kept in memory; a larger one is streamed to a file of its own.
pub const BODY_MEMORY_BYTES_MAX: usize = 1024 * 1024;
/// Bytes of bodies that a process keeps in memory while they come in; what is over goes to files at once.
pub const BODIES_MEMORY_BYTES_MAX: usize = 256 * 1024 * 1024;
/// Bytes read from a body file at a time.
pub const BODY_CHUNK_BYTES: usize = 64 * 1024;

// ---- MIME ------------------------------------------------------------------------------------

/// Bytes of one header section (all fields of one part).
pub const HEADER_BYTES_MAX: usize = 256 * 1024;
/// Bytes of a header section that are kept free, where a message comes in, for the fields that its way here adds.
pub const HEADER_RESERVE_BYTES: usize = 16 * 1024;
/// Parts of one message that are described; what follows is content of the last part.
pub const MIME_PARTS_MAX: usize = 1_000;
/// Depth of nesting that is described; what is deeper is content.
pub const MIME_DEPTH_MAX: usize = 50;

// ---- SMTP and LMTP ---------------------------------------------------------------------------

/// Bytes of a command line with its CRLF (RFC 5321 4.5.3.1.4 asks for 512 and extensions add to it).
pub const SMTP_LINE_BYTES_MAX: usize = 4_096;
/// Bytes of a line of an AUTH exchange with its CRLF (RFC 4954 4).
pub const SMTP_AUTH_LINE_BYTES_MAX: usize = 12_288;
/// Bytes read and dropped of a message that is refused, beyond its limit, before the session is closed.
pub const SMTP_DISCARDED_BYTES_MAX: u64 = 1024 * 1024 * 1024;
/// Transactions of one session, those that come to nothing included.
pub const SMTP_MESSAGES_MAX: usize = 1_000;
/// Recipients of one transaction (RFC 5321 4.5.3.1.8 asks for at least 100).
pub const SMTP_RECIPIENTS_MAX: usize = 1_000;
/// Protocol errors after which a session is closed.
pub const SMTP_ERRORS_MAX: u32 = 20;
/// Senders and recipients refused for good after which a session is closed.
pub const SMTP_REFUSALS_MAX: u32 = 100;
/// Refusals of one session that are logged one by one; the others are logged as a number.
pub const SMTP_REFUSALS_LOGGED_MAX: u32 = 10;
/// Commands that bring no message any further, from one message to the next, after which a session is closed.
pub const SMTP_IDLE_COMMANDS_MAX: u32 = 100;
/// Bytes of the RCPT commands of one transaction; further recipients are put off.
pub const SMTP_ENVELOPE_BYTES_MAX: usize = 512 * 1024;
/// Time without a command after which a session is closed (RFC 5321 4.5.3.2.7).
pub const SMTP_COMMAND_TIME_MAX: Duration = Duration::from_secs(300);
/// Time without a byte of message data after which a session is closed (RFC 5321 4.5.3.2.5).
pub const SMTP_DATA_TIME_MAX: Duration = Duration::from_secs(180);
/// Time from the start of a message's content to its end, whatever the pace.
pub const SMTP_MESSAGE_TIME_MAX: Duration = Duration::from_secs(2 * 60 * 60);
/// Bytes of message data a second, on average over [`SMTP_DATA_RATE_WINDOW`], below which a session is closed.
pub const SMTP_DATA_RATE_BYTES_MIN: u64 = 100;
/// Time over which the rate of message data is taken.
pub const SMTP_DATA_RATE_WINDOW: Duration = Duration::from_secs(60);
/// Time after which a session is closed where no message is coming in.
pub const SMTP_SESSION_TIME_MAX: Duration = Duration::from_secs(4 * 60 * 60);
/// Time for a client to take all replies that are ready for it.
pub const SMTP_REPLY_TIME_MAX: Duration = Duration::from_secs(300);
/// Received fields after which a message is taken for looping (RFC 5321 6.3).
pub const HOPS_MAX: usize = 50;
/// `Delivered-To` fields with one address after which a message to it is taken for looping. One is no loop: it is a
/// message that was kept and sent again.
pub const DELIVERIES_MAX: usize = 5;
/// Failed AUTH commands after which a session is closed.
pub const AUTH_FAILURES_MAX: u32 = 3;

// ---- IMAP ------------------------------------------------------------------------------------

/// Bytes of one command without its streamed literals.
pub const IMAP_COMMAND_BYTES_MAX: usize = 64 * 1024;
/// Bytes read ahead of the command that runs; a whole command must fit.
pub const IMAP_INPUT_BYTES_MAX: usize = 128 * 1024;
/// Bytes of a literal that is buffered as part of a command.
pub const IMAP_LITERAL_BUFFERED_BYTES_MAX: usize = 16 * 1024;
/// Literals of one command.
pub const IMAP_LITERALS_MAX: usize = 100;
/// Bytes of one command before login: an initial response of SASL fits, and little else.
pub const IMAP_LOGIN_COMMAND_BYTES_MAX: usize = 16 * 1024;
/// Bytes read ahead of the command that runs, before login.
pub const IMAP_LOGIN_INPUT_BYTES_MAX: usize = 20 * 1024;
/// Depth of nesting in a SEARCH program.
pub const IMAP_SEARCH_DEPTH_MAX: usize = 32;
/// Keys of a SEARCH program, those that join others included.
pub const IMAP_SEARCH_KEYS_MAX: usize = 200;
/// Batches of messages that are searched at one time, by all sessions together; further ones wait their turn.
pub const IMAP_SEARCHES_AT_ONCE_MAX: usize = 4;
/// Bytes of headers that one SEARCH has in memory at a time, besides one message of any size.
pub const IMAP_SEARCH_HEADER_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Time that a SEARCH goes on without looking whether anybody still waits for it.
pub const IMAP_SEARCH_UNWATCHED_TIME: Duration = Duration::from_secs(1);
/// Patterns of one LIST (RFC 5258 3 allows several).
pub const IMAP_LIST_PATTERNS_MAX: usize = 8;
/// Wildcards of one pattern of LIST or LSUB.
pub const IMAP_LIST_WILDCARDS_MAX: usize = 10;
/// Data items of one FETCH.
pub const IMAP_FETCH_ITEMS_MAX: usize = 100;
/// Field names in all HEADER.FIELDS of one FETCH.
pub const IMAP_FETCH_FIELD_NAMES_MAX: usize = 500;
/// Time from the greeting, or from STARTTLS, to the login after which a session is closed.
pub const IMAP_LOGIN_TIME_MAX: Duration = Duration::from_secs(60);
/// Time without a command after login (RFC 3501 5.4 asks for at least 30 minutes).
pub const IMAP_IDLE_TIME_MAX: Duration = Duration::from_secs(30 * 60);
/// Bad commands after which a session is closed.
pub const IMAP_ERRORS_MAX: u32 = 50;
/// Bytes of response that wait for a slow reader before the session stops producing.
pub const IMAP_OUTPUT_BYTES_MAX: usize = 256 * 1024;
/// Keywords of one mailbox that FLAGS lists; more can be in use.
pub const IMAP_KEYWORDS_LISTED_MAX: usize = 500;

// ---- State -----------------------------------------------------------------------------------

/// Bytes of a journal segment before the next is begun.
pub const SEGMENT_BYTES: u64 = 128 * 1024 * 1024;
/// Bytes of zeros that a journal writes ahead of small frames.
pub const SEGMENT_AHEAD_BYTES: u64 = 256 * 1024;
/// Bytes of the file that keeps room for a journal on a disk that is full.
pub const RESERVE_BYTES: u64 = 64 * 1024 * 1024;
/// Free bytes on the disk below which a store takes nothing that grows.
pub const SPACE_LOW_BYTES: u64 = 256 * 1024 * 1024;
/// Bytes appended after which the disk is asked for free space again, before its time.
pub const SPACE_CHECK_BYTES: u64 = 16 * 1024 * 1024;
/// How often the disk is asked for free space.
pub const SPACE_CHECK_TIME: Duration = Duration::from_secs(1);
/// Bytes that compaction reads and writes in a second.
pub const COMPACTION_BYTES_PER_SECOND: u64 = 16 * 1024 * 1024;
/// How long it is believed what of a segment is needed.
pub const COMPACTION_EXAMINE_TIME: Duration = Duration::from_secs(60 * 60);
/// Bytes of messages just taken that the queue keeps in memory for their first attempt.
pub const SPOOL_RECENT_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Bytes of commands that wait for a sequencer; further callers wait for room.
pub const SEQUENCER_QUEUED_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Bytes of records in one frame of a journal after which it takes no further command.
pub const SEQUENCER_FRAME_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Bytes that one command to a store may hold or stage.
pub const SEQUENCER_COMMAND_BYTES_MAX: usize = 256 * 1024 * 1024;
/// How long a command that nobody waits for waits for a frame that goes anyway.
pub const SEQUENCER_LAZY_TIME_MAX: Duration = Duration::from_millis(5);
/// Such commands that get a frame of their own.
pub const SEQUENCER_LAZY_COMMANDS_MAX: usize = 8;
/// Records of bulk work in one batch.
pub const BULK_RECORDS_MAX: usize = 100;
/// Bytes of bulk work in one batch after which it takes no further bulk command.
pub const BULK_BYTES_MAX: usize = 1024 * 1024;
/// Bytes of a mailbox name in its UTF-8 form.
pub const MAILBOX_NAME_BYTES_MAX: usize = 1_000;
/// Components of a mailbox name.
pub const MAILBOX_DEPTH_MAX: usize = 50;
/// Names of mailboxes of one account, levels of the hierarchy without a mailbox included.
pub const MAILBOXES_PER_ACCOUNT_MAX: usize = 10_000;
/// Names that one account has subscribed to.
pub const SUBSCRIPTIONS_PER_ACCOUNT_MAX: usize = 10_000;
/// Messages that RENAME of an inbox moves in one commit; those of a larger inbox move in several, before it.
pub const RENAME_MESSAGES_MAX: usize = 10_000;
/// Messages of one COPY; it is all or nothing.
pub const COPY_MESSAGES_MAX: usize = 500_000;
/// Bytes of one keyword.
pub const KEYWORD_BYTES_MAX: usize = 255;
/// Keywords of one message.
pub const KEYWORDS_PER_MESSAGE_MAX: usize = 100;
/// Bytes of all keywords of one message together.
pub const KEYWORDS_PER_MESSAGE_BYTES_MAX: usize = 2_048;
/// Keywords that messages of one mailbox have or had.
pub const KEYWORDS_PER_MAILBOX_MAX: usize = 500;
/// Bytes of open mailboxes that a mail store keeps in memory.
pub const SNAPSHOT_BYTES_MAX: usize = 256 * 1024 * 1024;
/// Bytes of rendered messages that a mail store keeps in memory.
pub const RENDERED_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Messages that one record of bulk work changes (COPY, MOVE, STORE or EXPUNGE of more goes in several).
pub const BULK_MESSAGES_MAX: usize = 1_000;
/// Bytes of the messages, as the mail store keeps track of them, that one record of bulk work changes.
pub const BULK_MESSAGES_BYTES_MAX: usize = 1024 * 1024;
/// Changes of more messages than one record has that are in work at once; further ones wait.
pub const BULK_CHANGES_MAX: usize = 4;
/// How long expunged messages and deleted mailboxes are kept, unless it is configured otherwise.
pub const RETENTION: Duration = Duration::from_secs(21 * 24 * 60 * 60);
/// Time between two purges of what has been kept for so long.
pub const PURGE_INTERVAL: Duration = Duration::from_secs(60 * 60);

// ---- Addresses and the envelope --------------------------------------------------------------

/// Bytes of a local part without quotes (RFC 5321 4.5.3.1.1 asks for 64; VERP and SRS need more).
pub const LOCAL_PART_BYTES_MAX: usize = 256;
/// Bytes of a domain in A-labels (RFC 5321 4.5.3.1.2).
pub const DOMAIN_BYTES_MAX: usize = 255;
/// Bytes of a path with its angle brackets (RFC 5321 4.5.3.1.3 asks for 256).
pub const PATH_BYTES_MAX: usize = 1_024;
/// Bytes of an account name in front of the `@`.
pub const ACCOUNT_NAME_BYTES_MAX: usize = 128;
/// Bytes of an ENVID in its wire form (RFC 3461 4.4).
pub const ENVID_BYTES_MAX: usize = 100;
/// Bytes of an ORCPT in its wire form (RFC 3461 4.2 asks for 500).
pub const ORCPT_BYTES_MAX: usize = 1_000;

// ---- The SMTP and LMTP client ----------------------------------------------------------------

/// Bytes of one reply with all its lines.
pub const SMTP_REPLY_BYTES_MAX: usize = 16 * 1024;
/// Time to open a TCP connection to one address.
pub const RELAY_CONNECT_TIME_MAX: Duration = Duration::from_secs(30);
/// Time for the 220 that opens a connection (RFC 5321 4.5.3.2.1).
pub const RELAY_GREETING_TIME_MAX: Duration = Duration::from_secs(300);
/// Time for the reply to a command (RFC 5321 4.5.3.2.2 and 4.5.3.2.3).
pub const RELAY_COMMAND_TIME_MAX: Duration = Duration::from_secs(300);
/// Time for the 354 to DATA (RFC 5321 4.5.3.2.4).
pub const RELAY_DATA_INITIATION_TIME_MAX: Duration = Duration::from_secs(120);
/// Time for a piece of the body to be taken (RFC 5321 4.5.3.2.5).
pub const RELAY_DATA_BLOCK_TIME_MAX: Duration = Duration::from_secs(180);
/// Time for the reply to the whole message (RFC 5321 4.5.3.2.6).
pub const RELAY_DATA_TERMINATION_TIME_MAX: Duration = Duration::from_secs(600);
/// Recipients that one alias may expand to, all levels together.
pub const ALIAS_RECIPIENTS_MAX: usize = 10_000;
/// Levels of aliases that name aliases.
pub const ALIAS_DEPTH_MAX: usize = 16;
/// Hosts of one MX record set that are looked at.
pub const MX_HOSTS_MAX: usize = 20;
/// Hosts of one destination that are given a message in one attempt, each after the one before has put it off.
pub const MX_SESSIONS_MAX: usize = 3;
/// Addresses of one destination that are tried in one attempt.
pub const MX_ADDRESSES_MAX: usize = 10;

// ---- Authentication --------------------------------------------------------------------------

/// Bytes of one SASL message after base64 is undone (RFC 4954 4 asks for lines of 12,288).
pub const SASL_MESSAGE_BYTES_MAX: usize = 9_216;
/// Bytes of a user name as a client gives it.
pub const LOGIN_BYTES_MAX: usize = 512;
/// Bytes of a password.
pub const PASSWORD_BYTES_MAX: usize = 1_024;
/// Bytes of the nonce that a client chooses in SCRAM.
pub const SCRAM_NONCE_BYTES_MAX: usize = 256;
/// Iterations of PBKDF2 that are accepted with stored SCRAM keys.
pub const SCRAM_ITERATIONS_MAX: u32 = 1_000_000;
/// Passwords that are hashed at one time; further logins wait.
pub const PASSWORD_HASHES_AT_ONCE_MAX: usize = 4;
/// Logins that wait for a hash; further ones are told to come back.
pub const PASSWORD_HASHES_WAITING_MAX: usize = 1_000;

/// Logins from one address (an IPv6 /64 is one) that are looked at at one time; further ones wait.
pub const SIGN_INS_PER_ADDRESS_MAX: usize = 2;
/// Time that a login waits for others of its address before it is told to come back.
pub const SIGN_IN_WAIT_TIME_MAX: Duration = Duration::from_secs(30);
/// Failed logins, from one address or to one account, that cost no delay.
pub const SIGN_IN_FAILURES_FREE: u32 = 5;
/// Delay of a login after the first failure that costs one; each further failure doubles it.
pub const SIGN_IN_DELAY_TIME_MIN: Duration = Duration::from_millis(100);
/// Delay of a login after many failures.
pub const SIGN_IN_DELAY_TIME_MAX: Duration = Duration::from_secs(5);
/// Time after which one failed login is forgiven.
pub const SIGN_IN_FORGIVEN_TIME: Duration = Duration::from_secs(60);
/// Failures of an account at an address that it has signed in from, before it is treated as at any other.
pub const SIGN_IN_FAILURES_KNOWN_MAX: u32 = 10;
/// Addresses, and accounts, whose logins are remembered; the longest unused is forgotten.
pub const SIGN_INS_REMEMBERED_MAX: usize = 10_000;

// ---- Directory -------------------------------------------------------------------------------

/// Targets of one alias.
pub const ALIAS_TARGETS_MAX: usize = 1_000;

// ---- Administration --------------------------------------------------------------------------

/// Bytes of one answer on the admin socket that the command line reads.
pub const ADMIN_ANSWER_BYTES_MAX: usize = 256 * 1024 * 1024;
