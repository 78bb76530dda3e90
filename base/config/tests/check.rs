//! The checker, as an operator meets it.

use config::{ByteSize, Config, HostPort, LmtpEndpoint, Reload, Role, check};
use std::time::Duration;

const LEAST: &str = "[system]\nhostname = \"mail.example.org\"\ndomain = \"example.org\"\n";

fn with(more: &str) -> String {
    format!("{LEAST}{more}")
}

fn good(text: &str) -> Config {
    check("t.toml", text).unwrap_or_else(|errors| panic!("{errors}"))
}

fn errors(text: &str) -> String {
    check("t.toml", text).expect_err("wrong").to_string()
}

#[test]
fn the_least_file_gives_every_default() {
    let config = good(LEAST);
    assert_eq!(config.system.roles, Role::ALL);
    assert_eq!(config.mx.listen, ["[::]:25".parse().expect("an address")]);
    assert_eq!(config.limits.message_size, ByteSize(limits::MESSAGE_BYTES_MAX));
    assert_eq!(config.relay.lmtp, LmtpEndpoint::Pipe);
}

#[test]
fn values_are_read_with_their_units() {
    let config = good(&with(
        "[limits]\nmessage_size = \"20 MiB\"\n[spool]\nexpiry = \"7d\"\nretries = [\"90s\", \"2h\"]\n\
         [relay]\nroutes = { \"example.net\" = \"[2001:db8::1]:2525\", \"*\" = \"smart.example.org\" }\n",
    ));
    assert_eq!(config.limits.message_size, ByteSize(20 << 20));
    assert_eq!(config.spool.expiry, Duration::from_secs(7 * 86_400));
    assert_eq!(config.spool.retries, [Duration::from_secs(90), Duration::from_secs(7_200)]);
    let host = HostPort { host: "2001:db8::1".to_owned(), port: Some(2525) };
    assert_eq!(config.relay.routes["example.net"], host);
    assert_eq!(config.relay.routes["*"].port, None);
}

#[test]
fn a_limit_that_need_not_be_is_a_number_or_any() {
    let domains =
        |value: &str| good(&with(&format!("[mx]\nrecipient_domains = {value}\n"))).mx.recipient_domains;
    assert_eq!(good(LEAST).mx.recipient_domains, None);
    assert_eq!((domains("\"any\""), domains("3")), (None, std::num::NonZeroU32::new(3)));
    for wrong in ["0", "\"many\"", "-1"] {
        assert!(errors(&with(&format!("[mx]\nrecipient_domains = {wrong}\n"))).contains("recipient_domains"));
    }
}

#[test]
fn every_error_is_told_at_once_with_its_line() {
    let told = errors(
        "[system]\n\
         hostname = \"mail example org\"\n\
         role = [\"mx\"]\n\
         [limits]\n\
         message_size = \"20 MB\"\n\
         connections = \"many\"\n\
         [spool]\n\
         expiry = \"5 days\"\n\
         [imap]\n\
         listen = [\"[::]:143\"]\n\
         [mx]\n\
         listen = [\"[::]:25\", \"25\", \"localhost\"]\n",
    );
    let lines: Vec<&str> = told.lines().collect();
    let starts = ["t.toml:2:", "t.toml:3:", "t.toml:5:", "t.toml:6:", "t.toml:8:", "t.toml:9:", "t.toml:12:"];
    for (line, start) in lines.iter().zip(starts) {
        assert!(line.starts_with(start), "{told}");
    }
    assert!(lines[1].ends_with("there is no option system.role: did you mean roles?"), "{told}");
    assert!(lines[2].contains("as in \"20 MiB\""), "{told}");
    assert!(lines[3].contains("expected a whole number from 1 on, found string"), "{told}");
    assert!(lines[5].ends_with("there is no section [imap]: did you mean [imapd]?"), "{told}");
    assert!(lines[7].contains("\"localhost\" is not an address with port"), "{told}");
    assert_eq!(lines[8], "t.toml: system.domain is required: a host or domain name");
    assert_eq!(lines.len(), 9, "{told}");
}

#[test]
fn broken_toml_is_told_beside_the_other_errors() {
    let told = errors(&with("[log]\nfilter = \n[mx]\nlissen = []\n"));
    assert!(told.contains("t.toml:5:"), "{told}");
    assert!(told.contains("t.toml:7: there is no option mx.lissen: did you mean listen?"), "{told}");
}

#[test]
fn a_key_of_another_section_is_pointed_there() {
    let told = errors(&with("[mx]\nroutes = {}\n"));
    assert_eq!(told, "t.toml:5: there is no option mx.routes: did you mean routes in [relay]?");
}

#[test]
fn a_section_written_as_a_value_is_told_so() {
    let told = errors("mx = 25\n[system]\nhostname = \"a\"\ndomain = \"b.test\"\n");
    assert_eq!(told, "t.toml:1: mx is a section: write [mx] and its options below it");
}

#[test]
fn a_role_that_nobody_could_reach_is_refused() {
    let told = errors(&with("[mx]\nlisten = []\n"));
    assert_eq!(told, "t.toml:5: mx.listen: the role mx needs an address to listen on");
    good(&format!("{}[mx]\nlisten = []\n", with("roles = [\"imapd\"]\n")));
}

#[test]
fn a_pipe_to_a_role_that_is_not_here_is_refused() {
    let told = errors(&with("roles = [\"mx\", \"relay\"]\n"));
    assert!(told.contains("relay.lmtp: \"pipe\" needs the role lmtpd"), "{told}");
    let text = with("roles = [\"mx\", \"relay\"]\n[relay]\nlmtp = \"192.0.2.3:24\"\n");
    assert!(matches!(good(&text).relay.lmtp, LmtpEndpoint::Address(_)));
}

#[test]
fn a_route_is_for_a_domain_or_for_all() {
    good(&with("[relay]\nroutes = { \".example.net\" = \"a.test\", \"*\" = \"b.test\" }\n"));
    let told = errors(&with("[relay]\nroutes = { \"*.example.net\" = \"a.test\" }\n"));
    assert_eq!(told, "t.toml:5: relay.routes: \"*.example.net\" is neither \"*\" nor a domain");
}

#[test]
fn address_ranges_are_checked() {
    let config = good(&with("[lmtpd]\ntrusted = [\"192.0.2.0/24\", \"2001:db8::1\"]\n"));
    assert_eq!(config.lmtpd.trusted[1].to_string(), "2001:db8::1/128");
    for wrong in ["192.0.2.0/33", "192.0.2", "10.0.0.0/-1", "::/129"] {
        errors(&with(&format!("[lmtpd]\ntrusted = [\"{wrong}\"]\n")));
    }
}

#[test]
fn rules_between_options_are_checked() {
    let told = errors(&with("[spool]\nretries = []\ndelay_notice = \"6d\"\n"));
    assert!(told.contains("t.toml:5: spool.retries: name at least"), "{told}");
    assert!(told.contains("t.toml:6: spool.delay_notice: not shorter"), "{told}");
}

#[test]
fn numbers_out_of_range_are_refused_and_never_cut() {
    for wrong in ["port = 65536", "port = -1", "deliveries = 4294967296", "port = 2.5"] {
        errors(&with(&format!("[relay]\n{wrong}\n")));
    }
    assert_eq!(good(&with("[relay]\nport = 0x19\n")).relay.port, 25);
    errors(&with("[limits]\nmessage_size = \"99999999999 GiB\"\n"));
}

#[test]
fn nothing_that_counts_or_measures_may_be_zero() {
    for wrong in ["[mx]\nerrors = 0\n", "[spool]\nretries = [\"0s\"]\n", "[limits]\nmessage_size = \"0 B\"\n"]
    {
        assert!(errors(&with(wrong)).contains("from 1"), "{wrong}");
    }
    errors(&with("[mailstore]\nsegment_size = \"1 KiB\"\n"));
    assert!(errors(&with("roles = [\"mx\", \"imapd\", \"mx\"]\n")).contains("mx is named twice"));
}

#[test]
fn rules_of_the_caller_get_lines_too() {
    let text = with("[log]\nfilter = \"loud\"\n");
    let checked =
        config::check_by("t.toml", &text, |config| vec![("log", "filter", config.log.filter.clone())]);
    assert_eq!(checked.expect_err("wrong").to_string(), "t.toml:5: log.filter: loud");
}

#[test]
fn the_written_file_is_read_back_as_the_same() {
    let config = good(&with(
        "roles = [\"imapd\", \"lmtpd\"]\ndata = \"/srv/a \\\"b\\\"\"\n[imapd]\nlisten_tls = [\"127.0.0.1:1993\", \"[::1]:1993\"]\n\
         [log]\nformat = \"json\"\n[limits]\nmessage_size = \"1500 KiB\"\n[imapd.x]\n",
    ).replace("[imapd.x]\n", ""));
    let written = config.to_toml();
    assert_eq!(good(&written), config, "{written}");
    assert!(!written.contains("login_time"), "only what differs from the defaults: {written}");
}

#[test]
fn differences_say_what_a_reload_can_apply() {
    let old = good(LEAST);
    let new = good(&with("[log]\nfilter = \"debug\"\n[mx]\nerrors = 5\n"));
    let changes = old.changes(&new);
    let told: Vec<_> = changes
        .iter()
        .map(|change| (change.name.as_str(), change.old.as_str(), change.new.as_str(), change.reload))
        .collect();
    assert_eq!(
        told,
        [
            ("log.filter", "\"info,fjall=warn,lsm_tree=warn\"", "\"debug\"", Reload::Live),
            ("mx.errors", "20", "5", Reload::Restart)
        ]
    );
    assert!(old.changes(&old).is_empty());
}

#[test]
fn the_reference_tells_every_option_and_there_are_fewer_than_a_hundred() {
    let reference = config::reference();
    let options: Vec<_> = config::table::sections().into_iter().flat_map(|section| section.options).collect();
    assert!(options.len() < 100);
    for option in &options {
        assert!(reference.contains(&format!("\n### {}\n", option.name)), "{}", option.name);
        assert!(option.doc.contains(['.', ':']), "{} has no sentence", option.name);
    }
    assert!(reference.contains("a size in B, KiB, MiB or GiB, default `\"64 MiB\"`"), "{reference}");
}

#[test]
fn the_comments_of_a_written_file_are_whole_sentences() {
    for section in config::table::sections() {
        for option in section.options {
            let comment = option.doc.split("\n\n").next().unwrap_or_default();
            assert!(comment.ends_with('.'), "{}: {comment}", option.name);
        }
    }
    let text = "[system]\nhostname = \"a.test\"\ndomain = \"b.test\"\ndata = \".\"\n";
    let written = config::check("t.toml", text).expect("correct").to_toml();
    let comment = "# The directory of everything durable. One process owns it. A relative path, here as\n\
                   # everywhere, is taken from the directory of this file.\ndata = \".\"\n";
    assert!(written.contains(comment), "{written}");
}

#[test]
fn rules_between_options_are_told_together_with_wrong_values() {
    let told = errors(&with(
        "[mx]\nhops = 0\n[spool]\nretries = []\nexpiry = \"1h\"\ndelay_notice = \"4h\"\n[relay]\nroutes = { \"b c\" = \"h\" }\n",
    ));
    for line in [
        "t.toml:5: mx.hops",
        "t.toml:7: spool.retries",
        "t.toml:9: spool.delay_notice",
        "t.toml:11: relay.routes",
    ] {
        assert!(told.contains(line), "{line} in\n{told}");
    }
    assert_eq!(told.lines().count(), 4, "{told}");
}

#[test]
fn a_wrong_value_is_told_once_and_no_rule_is_judged_by_what_stands_for_it() {
    let told = errors(&with("[spool]\nexpiry = \"soon\"\ndelay_notice = \"9d\"\n[imapd]\nlisten = 3\n"));
    assert_eq!(told.lines().count(), 2, "{told}");
    assert!(told.contains("t.toml:5: spool.expiry") && told.contains("t.toml:8: imapd.listen"), "{told}");
}

#[test]
fn a_key_or_section_that_is_given_twice_is_named() {
    let told = errors(&with("[mx]\nhops = 3\nhops = 4\n[log]\n[mx]\n"));
    assert_eq!(told, "t.toml:6: hops is given twice\nt.toml:8: mx is given twice");
}

#[test]
fn the_system_section_is_read_whatever_is_wrong_elsewhere() {
    let system = config::system(&with("data = \"/srv\"\n[mx]\nlissen = 3\n[spool\n")).expect("right");
    assert_eq!(system.data.to_str(), Some("/srv"));
    assert_eq!(config::system(&with("data = 3\n")), None);
    assert_eq!(config::system("[system]\ndomain = \"b.test\"\n"), None);
}

#[test]
fn an_address_is_listened_on_once() {
    let told = errors(&with(
        "[mx]\nlisten = [\"127.0.0.1:25\", \"127.0.0.1:0\"]\n[submission]\nlisten = [\"127.0.0.1:0\"]\nlisten_tls = [\"127.0.0.1:25\"]\n",
    ));
    assert_eq!(told, "t.toml:8: submission.listen_tls: 127.0.0.1:25 is listened on by mx.listen already");
}
