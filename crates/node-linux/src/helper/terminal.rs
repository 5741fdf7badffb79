//! Terminals: receiving one from `libcontainer`, and reading and writing it without waiting.

use node_api::TerminalSize;
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use rustix::termios::{Winsize, tcsetwinsize};
use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::Path;
use tokio::io::Interest;
use tokio::net::UnixListener;
use tokio::net::unix::pipe;

/// The master side of a terminal. It is read and written as a pipe would be.
pub(crate) struct Terminal {
    master: OwnedFd,
    reader: pipe::Receiver,
    writer: pipe::Sender,
}

/// Waits for the terminal that a launcher sends to the socket.
pub(crate) struct Console(UnixListener);

impl Console {
    /// Listens at a path, relative to the working directory: a socket's path is limited.
    pub(crate) fn listen(path: &Path) -> io::Result<Self> {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => (),
        }
        UnixListener::bind(path).map(Self)
    }

    /// Receives the terminal.
    pub(crate) async fn receive(self) -> io::Result<Terminal> {
        let (stream, _) = self.0.accept().await?;
        loop {
            stream.readable().await?;
            let received = stream.try_io(Interest::READABLE, || {
                let mut bytes = [0; 4096];
                let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
                let mut control = RecvAncillaryBuffer::new(&mut space);
                let mut parts = [IoSliceMut::new(&mut bytes)];
                let flags = RecvFlags::CMSG_CLOEXEC;
                recvmsg(&stream, &mut parts, &mut control, flags)?;
                let master = control.drain().find_map(|message| match message {
                    RecvAncillaryMessage::ScmRights(mut fds) => fds.next(),
                    _ => None,
                });
                master.ok_or_else(|| io::Error::other("no terminal was sent"))
            });
            match received {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                result => return Terminal::new(result?),
            }
        }
    }
}

impl Terminal {
    fn new(master: OwnedFd) -> io::Result<Self> {
        fcntl_setfl(&master, fcntl_getfl(&master)? | OFlags::NONBLOCK)?;
        Ok(Self {
            reader: pipe::Receiver::from_owned_fd_unchecked(master.try_clone()?)?,
            writer: pipe::Sender::from_owned_fd_unchecked(master.try_clone()?)?,
            master,
        })
    }

    /// Reads what is there; 0 at its end, which is when no process has it open any more.
    pub(crate) async fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            self.reader.readable().await?;
            match self.reader.try_read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => (),
                Err(error) if error.raw_os_error() == Some(libc::EIO) => return Ok(0),
                result => return result,
            }
        }
    }

    /// Writes all of it.
    pub(crate) async fn write_all(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            self.writer.writable().await?;
            match self.writer.try_write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => (),
                result => bytes = bytes.get(result?..).unwrap_or_default(),
            }
        }
        Ok(())
    }

    /// Sets its size.
    pub(crate) fn resize(&self, size: TerminalSize) -> io::Result<()> {
        Ok(tcsetwinsize(
            &self.master,
            Winsize {
                ws_row: size.height,
                ws_col: size.width,
                ws_xpixel: 0,
                ws_ypixel: 0,
            },
        )?)
    }
}
