//! Passwords from a terminal, a file or a generator; never from the command line.

use crate::cli::PasswordArgs;
use crate::error::CliError;
use rustix::termios::{LocalModes, OptionalActions, Termios, isatty, tcgetattr, tcsetattr};
use std::io::{self, BufRead, Stdin, Write};
use tokio::task::JoinHandle;

/// Characters that read alike (0 O, 1 l I) are left out.
const ALPHABET: &[u8] = b"abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";
/// More than 115 bits.
const GENERATED_CHARS: usize = 20;

/// A password, and whether it was generated here and must be shown.
pub struct Chosen {
    pub password: String,
    pub generated: bool,
}

/// The password that the arguments ask for.
pub fn choose(args: &PasswordArgs) -> Result<Chosen, CliError> {
    if args.generate {
        return Ok(Chosen { password: generate()?, generated: true });
    }
    let password = match &args.password_file {
        Some(file) => first_line(&std::fs::read_to_string(file).map_err(CliError::file(file))?),
        None => from_input()?,
    };
    match password.is_empty() {
        true => Err(CliError::Usage("the password is empty".to_owned())),
        false => Ok(Chosen { password, generated: false }),
    }
}

/// A new random password.
pub fn generate() -> Result<String, CliError> {
    let mut password = String::with_capacity(GENERATED_CHARS);
    while password.len() < GENERATED_CHARS {
        let mut random = [0; 64];
        getrandom::fill(&mut random).map_err(CliError::failed)?;
        password
            .extend(random.iter().filter_map(|byte| letter(*byte)).take(GENERATED_CHARS - password.len()));
    }
    Ok(password)
}

/// The letter of a random byte, equally likely for each; none for the bytes left over.
fn letter(byte: u8) -> Option<char> {
    let fair = 256 / ALPHABET.len() * ALPHABET.len();
    (usize::from(byte) < fair).then(|| char::from(ALPHABET[usize::from(byte) % ALPHABET.len()]))
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

/// Asks twice on a terminal, without echo; reads a line where there is none.
fn from_input() -> Result<String, CliError> {
    let stdin = io::stdin();
    if !isatty(&stdin) {
        return line_read(&stdin);
    }
    let (first, second) = (ask(&stdin, "Password: ")?, ask(&stdin, "Again: ")?);
    match first == second {
        true => Ok(first),
        false => Err(CliError::Usage("the two passwords differ".to_owned())),
    }
}

fn ask(stdin: &Stdin, question: &str) -> Result<String, CliError> {
    let _ = write!(io::stderr(), "{question}");
    let silent = EchoOff::start(stdin).map_err(CliError::failed)?;
    let answer = line_read(stdin);
    drop(silent);
    let _ = writeln!(io::stderr());
    answer
}

fn line_read(stdin: &Stdin) -> Result<String, CliError> {
    let mut line = String::new();
    stdin
        .lock()
        .read_line(&mut line)
        .map_err(|error| CliError::Failed(format!("standard input: {error}")))?;
    Ok(first_line(&line))
}

/// Turns the terminal's echo off until it is dropped, or the process is interrupted.
struct EchoOff<'a> {
    stdin: &'a Stdin,
    before: Termios,
    interrupted: JoinHandle<()>,
}

/// What a shell makes of a process that SIGINT ended.
const EXIT_INTERRUPTED: i32 = 130;

impl<'a> EchoOff<'a> {
    fn start(stdin: &'a Stdin) -> rustix::io::Result<Self> {
        let before = tcgetattr(stdin)?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        let restored = before.clone();
        let interrupted = tokio::spawn(async move {
            if tokio::signal::ctrl_c().await.is_ok() {
                let _ = tcsetattr(io::stdin(), OptionalActions::Flush, &restored);
                let _ = writeln!(io::stderr());
                std::process::exit(EXIT_INTERRUPTED);
            }
        });
        tcsetattr(stdin, OptionalActions::Flush, &silent)?;
        Ok(Self { stdin, before, interrupted })
    }
}

impl Drop for EchoOff<'_> {
    fn drop(&mut self) {
        self.interrupted.abort();
        let _ = tcsetattr(self.stdin, OptionalActions::Flush, &self.before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_passwords_are_long_and_differ() {
        let (one, other) = (generate().expect("random"), generate().expect("random"));
        assert_eq!(one.len(), GENERATED_CHARS);
        assert_ne!(one, other);
        assert!(one.bytes().all(|byte| ALPHABET.contains(&byte)));
    }

    #[test]
    fn a_password_file_counts_to_its_first_line_end() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("password");
        std::fs::write(&file, "pass word \nmore\n").expect("written");
        let args = PasswordArgs { generate: false, password_file: Some(file.clone()) };
        assert_eq!(choose(&args).expect("chosen").password, "pass word ");
        std::fs::write(&file, "\n").expect("written");
        assert!(matches!(choose(&args), Err(CliError::Usage(_))));
    }
}
