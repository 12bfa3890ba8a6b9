//! A server that sends its bytes piece by piece, for the faults that lie between the pieces.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// The next step of the server.
#[derive(Clone)]
pub enum Step {
    /// Sends bytes.
    Send(Vec<u8>),
    /// Sends the same bytes so many times.
    Repeat(Vec<u8>, usize),
    /// Keeps silent.
    Pause(Duration),
    /// Keeps silent until as many requests have been open at once, or for ten seconds.
    Gather(usize),
}

pub const STREAM: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";

/// A server on loopback that answers the first requests by script, and all later ones with the last
/// script.
pub struct Scripted {
    pub url: String,
    pub requests: Arc<AtomicUsize>,
    open: Arc<Open>,
}

/// The number of requests that are being answered, and its peak.
#[derive(Default)]
struct Open {
    now: AtomicUsize,
    peak: AtomicUsize,
}

impl Scripted {
    pub fn start(scripts: Vec<Vec<Step>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&requests);
        let open = Arc::new(Open::default());
        let opened = Arc::clone(&open);
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let index = count.fetch_add(1, Ordering::SeqCst).min(scripts.len() - 1);
                let script = scripts[index].clone();
                let open = Arc::clone(&opened);
                thread::spawn(move || play(connection, script, &open));
            }
        });
        Self { url, requests, open }
    }

    pub fn count(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    /// The most requests that were open at once.
    pub fn peak(&self) -> usize {
        self.open.peak.load(Ordering::SeqCst)
    }
}

fn play(mut connection: TcpStream, script: Vec<Step>, open: &Open) {
    read_request(&mut connection);
    open.peak.fetch_max(open.now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
    let last = script.len().saturating_sub(1);
    for (index, step) in script.into_iter().enumerate() {
        if index == last {
            // Once it has the last of it, the client may ask anew.
            open.now.fetch_sub(1, Ordering::SeqCst);
        }
        let (bytes, times) = match step {
            Step::Send(bytes) => (bytes, 1),
            Step::Repeat(bytes, times) => (bytes, times),
            Step::Pause(time) => {
                thread::sleep(time);
                continue;
            }
            Step::Gather(wanted) => {
                let begin = Instant::now();
                while open.peak.load(Ordering::SeqCst) < wanted && begin.elapsed() < Duration::from_secs(10) {
                    thread::sleep(Duration::from_millis(2));
                }
                continue;
            }
        };
        for _ in 0..times {
            if connection.write_all(&bytes).and_then(|()| connection.flush()).is_err() {
                return;
            }
        }
    }
}

/// Reads one whole request: a connection closed over unread bytes would be reset.
fn read_request(connection: &mut TcpStream) {
    let mut bytes = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let count = connection.read(&mut piece).unwrap_or(0);
        bytes.extend_from_slice(&piece[..count]);
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
            });
            if body.len() >= length.unwrap_or(0) {
                return;
            }
        }
        if count == 0 {
            return;
        }
    }
}
