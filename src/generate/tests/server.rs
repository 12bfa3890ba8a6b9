//! A server that sends its bytes piece by piece, for the faults that lie between the pieces.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

/// What the server does next.
#[derive(Clone)]
pub enum Step {
    /// Sends bytes.
    Send(Vec<u8>),
    /// Sends the same bytes so many times.
    Repeat(Vec<u8>, usize),
    /// Keeps silent.
    Pause(Duration),
}

pub const STREAM: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";

/// A server on loopback that answers the first requests by script, and all later ones with the last
/// script.
pub struct Scripted {
    pub url: String,
    pub requests: Arc<AtomicUsize>,
}

impl Scripted {
    pub fn start(scripts: Vec<Vec<Step>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&requests);
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let index = count.fetch_add(1, Ordering::SeqCst).min(scripts.len() - 1);
                let script = scripts[index].clone();
                thread::spawn(move || play(connection, script));
            }
        });
        Self { url, requests }
    }

    pub fn count(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

fn play(mut connection: TcpStream, script: Vec<Step>) {
    read_request(&mut connection);
    for step in script {
        let (bytes, times) = match step {
            Step::Send(bytes) => (bytes, 1),
            Step::Repeat(bytes, times) => (bytes, times),
            Step::Pause(time) => {
                thread::sleep(time);
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
