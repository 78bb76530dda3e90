//! What every directory must do, whatever it keeps its entries in.
//!
//! [`holds`] asks a directory that was filled with [`FIXTURE`]. An implementation passes if nothing panics.

use std::time::{Duration, Instant};

use address::{AccountName, Address, Domain};
use directory::{Authentication, Directory, Principal, Resolution, authenticate};
use sasl::{Channel, Password, SaslError, Server};

/// The entries that the directory under test must have.
pub struct Fixture {
    pub default_domain: &'static str,
    pub domains: &'static [&'static str],
    /// Name, password, administrator.
    pub accounts: &'static [(&'static str, Option<&'static str>, bool)],
    /// Address and targets.
    pub addresses: &'static [(&'static str, &'static [&'static str])],
}

pub const FIXTURE: Fixture = Fixture {
    default_domain: "example.com",
    domains: &["example.com", "example.org"],
    accounts: &[
        ("jane@example.com", Some("jane's password"), false),
        ("root@example.com", Some("root's password"), true),
        ("joe@example.org", Some("joe's p\u{e4}ssword"), false),
        ("archive@example.com", None, false),
    ],
    addresses: &[
        ("jane.doe@example.com", &["jane@example.com"]),
        ("staff@example.com", &["jane@example.com", "joe@example.org", "guest@elsewhere.example"]),
        ("everybody@example.com", &["staff@example.com"]),
        ("postmaster@example.org", &["joe@example.org"]),
    ],
};

/// Runs the whole contract.
pub async fn holds(directory: &dyn Directory) {
    domains_and_accounts_are_found_by_name(directory).await;
    addresses_resolve_without_regard_to_case(directory).await;
    every_domain_has_a_postmaster(directory).await;
    an_account_knows_its_own_addresses(directory).await;
    passwords_are_checked(directory).await;
    an_unknown_login_costs_what_a_wrong_password_costs(directory).await;
    scram_keys_of_unknown_logins_look_real_and_stay(directory).await;
    exchanges_end_with_the_account(directory).await;
    nobody_acts_for_another_account(directory).await;
}

fn address(text: &str) -> Address {
    text.parse().expect(text)
}

fn account(text: &str) -> AccountName {
    text.parse().expect(text)
}

async fn resolve(directory: &dyn Directory, text: &str) -> Resolution {
    directory.resolve(&address(text)).await.expect(text)
}

async fn domains_and_accounts_are_found_by_name(directory: &dyn Directory) {
    assert_eq!(directory.default_domain().as_str(), "example.com");
    let ours: Domain = "Example.ORG".parse().expect("a domain");
    assert_eq!(directory.domain(&ours).await.expect("an answer").expect("an entry").domain, ours);
    let theirs: Domain = "elsewhere.example".parse().expect("a domain");
    assert_eq!(directory.domain(&theirs).await.expect("an answer"), None);
    for (name, password, admin) in FIXTURE.accounts {
        let entry = directory.account(&account(name)).await.expect("an answer").expect(name);
        assert_eq!((entry.name.to_string().as_str(), entry.admin), (*name, *admin));
        assert_eq!(entry.has_password, password.is_some(), "{name}");
    }
    assert_eq!(directory.account(&account("jane@example.org")).await.expect("an answer"), None);
}

async fn addresses_resolve_without_regard_to_case(directory: &dyn Directory) {
    let jane = Resolution::Account(account("jane@example.com"));
    for text in ["jane@example.com", "JANE@Example.COM", "\"jane\"@example.com", "Jane.Doe@example.com"] {
        assert_eq!(resolve(directory, text).await, jane, "{text}");
    }
    let targets = ["jane@example.com", "joe@example.org", "guest@elsewhere.example"].map(address);
    assert_eq!(resolve(directory, "Staff@example.com").await, Resolution::Alias(targets.to_vec()));
    let staff = Resolution::Alias(vec![address("staff@example.com")]);
    assert_eq!(resolve(directory, "everybody@example.com").await, staff);
    for text in ["nobody@example.com", "jane@example.org", "jane+box@example.com", "\"\"@example.com"] {
        assert_eq!(resolve(directory, text).await, Resolution::Unknown, "{text}");
    }
    for text in ["jane@elsewhere.example", "jane@sub.example.com", "jane@[192.0.2.1]"] {
        assert_eq!(resolve(directory, text).await, Resolution::Remote, "{text}");
    }
}

/// RFC 5321 4.5.1: the administrator's, unless the domain has an address for it.
async fn every_domain_has_a_postmaster(directory: &dyn Directory) {
    let root = Resolution::Account(account("root@example.com"));
    for text in ["postmaster@example.com", "PostMaster@example.com", "abuse@example.com", "abuse@example.org"]
    {
        assert_eq!(resolve(directory, text).await, root, "{text}");
    }
    let joe = Resolution::Account(account("joe@example.org"));
    assert_eq!(resolve(directory, "Postmaster@example.org").await, joe);
}

async fn an_account_knows_its_own_addresses(directory: &dyn Directory) {
    let own = async |name| {
        let addresses = directory.addresses_of(&account(name)).await.expect("an answer");
        let mut texts: Vec<String> = addresses.iter().map(Address::to_string).collect();
        texts.sort();
        texts
    };
    assert_eq!(own("jane@example.com").await, ["jane.doe@example.com", "jane@example.com"]);
    assert_eq!(own("joe@example.org").await, ["joe@example.org", "postmaster@example.org"]);
    assert!(own("nobody@example.com").await.is_empty());
}

async fn verified(directory: &dyn Directory, login: &str, password: &str) -> Option<AccountName> {
    let password = Password::new(password).expect("a password");
    directory.verify_password(login, &password).await.expect("an answer")
}

async fn passwords_are_checked(directory: &dyn Directory) {
    let jane = Some(account("jane@example.com"));
    for login in ["jane@example.com", "jane", "JANE", "Jane@EXAMPLE.com"] {
        assert_eq!(verified(directory, login, "jane's password").await, jane, "{login}");
    }
    let joe = Some(account("joe@example.org"));
    assert_eq!(verified(directory, "joe@example.org", "joe's pa\u{308}ssword").await, joe);
    let wrong = [
        ("jane", "root's password"),
        ("jane", "Jane's password"),
        ("joe", "joe's p\u{e4}ssword"),
        ("nobody", "jane's password"),
        ("archive", "x"),
        ("jane\0", "jane's password"),
        ("jane", "a\u{7}"),
    ];
    for (login, password) in wrong {
        assert_eq!(verified(directory, login, password).await, None, "{login:?} {password:?}");
    }
}

/// The fastest try of each counts: that comes down to what the work takes, however busy the machine is. As many tries are
/// made as that needs; where one login needs less work than another, no number of them is enough.
async fn an_unknown_login_costs_what_a_wrong_password_costs(directory: &dyn Directory) {
    let logins = ["jane", "nobody", "archive", "no such name"];
    let mut fastest = [Duration::MAX; 4];
    for _ in 0..200 {
        for (login, fastest) in logins.iter().zip(&mut fastest) {
            let start = Instant::now();
            assert_eq!(verified(directory, login, "wrong").await, None);
            *fastest = start.elapsed().min(*fastest);
        }
        let (least, most) = (fastest.iter().min(), fastest.iter().max());
        if most.zip(least).is_some_and(|(most, least)| *most < *least * 2) {
            return;
        }
    }
    panic!("{logins:?} took {fastest:?}");
}

async fn scram_keys_of_unknown_logins_look_real_and_stay(directory: &dyn Directory) {
    let asked = async |login: &str| directory.credentials(login).await.expect("an answer");
    let jane = asked("jane").await;
    assert_eq!(jane.account, Some(account("jane@example.com")));
    assert_eq!(asked("Jane@example.com").await, jane);
    for login in ["nobody", "archive", "no such name"] {
        let decoy = asked(login).await;
        assert_eq!(decoy.account, None);
        assert_eq!(decoy.keys.iterations(), jane.keys.iterations());
        assert_eq!(decoy.keys.salt().len(), jane.keys.salt().len());
        assert_eq!(asked(login).await, decoy, "{login}");
        assert_eq!(asked(&login.to_uppercase()).await, decoy, "{login}");
    }
    assert_ne!(asked("nobody").await.keys.salt(), asked("somebody").await.keys.salt());
}

async fn plain(
    directory: &dyn Directory,
    authzid: Option<&str>,
    login: &str,
    password: &str,
) -> Authentication {
    let message = sasl::client::plain(authzid, login, password);
    authenticate(directory, Server::new(Channel::Secure).start("PLAIN", Some(&message))).await
}

async fn exchanges_end_with_the_account(directory: &dyn Directory) {
    let done = plain(directory, None, "jane", "jane's password").await;
    let Authentication::Done(principal) = done else { panic!("{done:?}") };
    assert_eq!(principal, Principal::Account(account("jane@example.com")));
    let refused = plain(directory, None, "nobody", "jane's password").await;
    assert!(matches!(refused, Authentication::Refused(SaslError::Credentials)), "{refused:?}");
    let step = Server::new(Channel::Secure).start("SCRAM-SHA-256", Some(b"n,,n=nobody,r=abc"));
    let decoy = authenticate(directory, step).await;
    let Authentication::Challenge(challenge) = decoy else { panic!("{decoy:?}") };
    assert!(challenge.message().starts_with(b"r=abc"));
}

async fn nobody_acts_for_another_account(directory: &dyn Directory) {
    let other = plain(directory, Some("root"), "jane", "jane's password").await;
    assert!(matches!(other, Authentication::Refused(SaslError::Authorization)), "{other:?}");
    let same = plain(directory, Some("Jane@example.com"), "jane", "jane's password").await;
    assert!(matches!(same, Authentication::Done(_)), "{same:?}");
    let pipe = Server::new(Channel::Pipe { role: "relay".into() });
    let acting = authenticate(directory, pipe.start("EXTERNAL", Some(b"jane"))).await;
    let Authentication::Done(principal) = acting else { panic!("{acting:?}") };
    assert_eq!(principal.account(), Some(&account("jane@example.com")));
    let unknown = authenticate(directory, pipe.start("EXTERNAL", Some(b"nobody"))).await;
    assert!(matches!(unknown, Authentication::Refused(SaslError::Authorization)), "{unknown:?}");
}
