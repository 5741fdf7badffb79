//! What a `hostPath` volume expects of its path.

use thiserror::Error;

/// The `type` of a `hostPath`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// `""`: anything; a directory is made if there is nothing, as container runtimes do.
    Anything,
    /// `DirectoryOrCreate`.
    DirectoryOrCreate,
    /// `Directory`.
    Directory,
    /// `FileOrCreate`.
    FileOrCreate,
    /// `File`.
    File,
    /// `Socket`.
    Socket,
    /// `CharDevice`.
    CharDevice,
    /// `BlockDevice`.
    BlockDevice,
}

/// What is at the path, its links followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// Nothing.
    Nothing,
    /// A directory.
    Directory,
    /// A regular file.
    File,
    /// A socket.
    Socket,
    /// A character device.
    CharDevice,
    /// A block device.
    BlockDevice,
    /// Something else.
    Other,
}

/// What is to be made before the path is mounted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Make {
    /// Nothing.
    Nothing,
    /// A directory with its parents, mode 0755, of root.
    Directory,
    /// An empty file, mode 0644, of root; its directory must be there.
    File,
}

/// Why a path is not what the pod expects.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum HostPathError {
    /// The path leads out of itself.
    #[error("invalid HostPath `{0}`: must not contain '..'")]
    Backsteps(String),
    /// Something else is there.
    #[error("hostPath type check failed: {path} is not a {what}")]
    Mismatch {
        /// The path.
        path: String,
        /// What was expected.
        what: &'static str,
    },
    /// No such type.
    #[error("{0} is an invalid volume type")]
    Type(String),
}

impl Expected {
    /// Reads the field `type`.
    pub(super) fn parse(text: &str) -> Result<Self, HostPathError> {
        Ok(match text {
            "" => Self::Anything,
            "DirectoryOrCreate" => Self::DirectoryOrCreate,
            "Directory" => Self::Directory,
            "FileOrCreate" => Self::FileOrCreate,
            "File" => Self::File,
            "Socket" => Self::Socket,
            "CharDevice" => Self::CharDevice,
            "BlockDevice" => Self::BlockDevice,
            other => return Err(HostPathError::Type(other.to_owned())),
        })
    }

    /// What is to be made at the path, given what is there.
    pub fn check(self, path: &str, found: Found) -> Result<Make, HostPathError> {
        let (what, fits) = match (self, found) {
            (Self::Anything | Self::DirectoryOrCreate, Found::Nothing) => {
                return Ok(Make::Directory);
            }
            (Self::FileOrCreate, Found::Nothing) => return Ok(Make::File),
            (Self::Anything, _) => return Ok(Make::Nothing),
            (Self::DirectoryOrCreate | Self::Directory, found) => {
                ("directory", found == Found::Directory)
            }
            (Self::FileOrCreate | Self::File, found) => ("file", found == Found::File),
            (Self::Socket, found) => ("socket file", found == Found::Socket),
            (Self::CharDevice, found) => ("character device", found == Found::CharDevice),
            (Self::BlockDevice, found) => ("block device", found == Found::BlockDevice),
        };
        if fits {
            Ok(Make::Nothing)
        } else {
            Err(HostPathError::Mismatch {
                path: path.to_owned(),
                what,
            })
        }
    }
}

/// Whether a path has an element `..`.
pub(super) fn has_backsteps(path: &str) -> bool {
    path.split('/').any(|element| element == "..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_checked_and_made() {
        for (kind, found, want) in [
            ("", Found::Nothing, Ok(Make::Directory)),
            ("", Found::Other, Ok(Make::Nothing)),
            ("DirectoryOrCreate", Found::Nothing, Ok(Make::Directory)),
            ("DirectoryOrCreate", Found::File, Err("directory")),
            ("Directory", Found::Nothing, Err("directory")),
            ("Directory", Found::Directory, Ok(Make::Nothing)),
            ("FileOrCreate", Found::Nothing, Ok(Make::File)),
            ("FileOrCreate", Found::Directory, Err("file")),
            ("File", Found::File, Ok(Make::Nothing)),
            ("File", Found::Nothing, Err("file")),
            ("Socket", Found::Socket, Ok(Make::Nothing)),
            ("Socket", Found::File, Err("socket file")),
            ("CharDevice", Found::BlockDevice, Err("character device")),
            ("BlockDevice", Found::CharDevice, Err("block device")),
        ] {
            let answer = Expected::parse(kind).unwrap().check("/x", found);
            let want =
                want.map_err(|what| format!("hostPath type check failed: /x is not a {what}"));
            assert_eq!(
                answer.map_err(|error| error.to_string()),
                want,
                "{kind} {found:?}"
            );
        }
        let error = Expected::parse("Pipe").unwrap_err();
        assert_eq!(error.to_string(), "Pipe is an invalid volume type");
    }
}
