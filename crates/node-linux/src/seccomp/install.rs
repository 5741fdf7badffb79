//! Installs a filter in this process.

use super::Filter;
use std::io;

/// `seccomp(2)`'s operation and flags; libc names them for some targets only.
const SET_MODE_FILTER: libc::c_uint = 1;

/// Puts this thread, and what it executes, under the filter for good. Needs `CAP_SYS_ADMIN` or
/// no-new-privileges.
#[allow(
    unsafe_code,
    reason = "seccomp(2) has no safe wrapper that leaves no-new-privileges alone"
)]
pub(crate) fn install(filter: &Filter) -> io::Result<()> {
    let mut program: Vec<libc::sock_filter> = filter
        .instructions
        .iter()
        .map(|i| libc::sock_filter {
            code: i.code,
            jt: i.jt,
            jf: i.jf,
            k: i.k,
        })
        .collect();
    let header = libc::sock_fprog {
        len: u16::try_from(program.len()).map_err(io::Error::other)?,
        filter: program.as_mut_ptr(),
    };
    // SAFETY: `header` points to `len` initialised instructions, which live until the call
    // returns; the kernel copies them and writes nothing.
    let result = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            SET_MODE_FILTER,
            filter.flags,
            std::ptr::from_ref(&header),
        )
    };
    match result {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
