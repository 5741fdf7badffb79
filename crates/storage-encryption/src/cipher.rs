//! The ciphers: how the bytes behind a provider's prefix are made. All but AES-CBC, which upstream
//! keeps for old data, notice any change of the stored bytes and bind them to their key in the
//! store (`place`).

use crate::secret::{NoRandomness, Secret, random};
use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use bytes::{Bytes, BytesMut};
use crypto_secretbox::XSalsa20Poly1305;
use crypto_secretbox::aead::{AeadInPlace, KeyInit};
use ring::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

/// The stored bytes are not what the cipher made with this key for this place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Undecipherable;

/// AES-GCM with a random nonce in front, as upstream's `aesgcm` provider.
#[derive(Debug)]
pub(crate) struct Gcm(LessSafeKey);

/// AES-CBC with PKCS#7 padding and a random initialization vector in front, as upstream's
/// `aescbc` provider. It notices changes only by chance.
#[derive(Debug)]
pub(crate) struct Cbc(Secret);

/// XSalsa20 and Poly1305 with a random nonce in front, as upstream's `secretbox` provider (which
/// does not bind the value to its place either).
#[derive(Debug)]
pub(crate) struct SecretBox(Secret);

impl Gcm {
    /// `None` unless the key has 16 or 32 bytes.
    pub(crate) fn new(key: &Secret) -> Option<Self> {
        let algorithm = match key.bytes().len() {
            16 => &AES_128_GCM,
            32 => &AES_256_GCM,
            _ => return None,
        };
        UnboundKey::new(algorithm, key.bytes())
            .ok()
            .map(|key| Self(LessSafeKey::new(key)))
    }

    pub(crate) fn seal(&self, place: &[u8], plain: &[u8], out: &mut BytesMut) -> Sealed {
        let mut nonce = [0; NONCE_LEN];
        random(&mut nonce)?;
        self.seal_with(nonce, place, plain, out)
    }

    /// The caller answers for the nonce being used once.
    pub(crate) fn seal_with(
        &self,
        nonce: [u8; NONCE_LEN],
        place: &[u8],
        plain: &[u8],
        out: &mut BytesMut,
    ) -> Sealed {
        out.extend_from_slice(&nonce);
        let mut sealed = out.split_off(out.len());
        sealed.extend_from_slice(plain);
        let nonce = Nonce::assume_unique_for_key(nonce);
        // Fails only for values of more than 64 GiB.
        let tag = self
            .0
            .seal_in_place_separate_tag(nonce, Aad::from(place), &mut sealed)
            .map_err(|_| NoRandomness)?;
        sealed.extend_from_slice(tag.as_ref());
        out.unsplit(sealed);
        Ok(())
    }

    pub(crate) fn open(
        &self,
        place: &[u8],
        stored: Bytes,
        skip: usize,
    ) -> Result<Bytes, Undecipherable> {
        let nonce = stored.get(skip..skip + NONCE_LEN).ok_or(Undecipherable)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| Undecipherable)?;
        // Decrypted in place if nobody else holds the bytes, which is so for what was just read.
        let mut bytes = stored
            .try_into_mut()
            .unwrap_or_else(|shared| BytesMut::from(&*shared));
        let sealed = skip + NONCE_LEN..;
        let opened = self
            .0
            .open_within(nonce, Aad::from(place), &mut bytes, sealed);
        let length = opened.map_err(|_| Undecipherable)?.len();
        bytes.truncate(length);
        Ok(bytes.freeze())
    }
}

pub(crate) type Sealed = Result<(), NoRandomness>;

const BLOCK: usize = 16;

impl Cbc {
    /// `None` unless the key has 16, 24 or 32 bytes.
    pub(crate) fn new(key: Secret) -> Option<Self> {
        matches!(key.bytes().len(), 16 | 24 | 32).then_some(Self(key))
    }

    pub(crate) fn seal(&self, plain: &[u8], out: &mut BytesMut) -> Sealed {
        let mut iv = [0; BLOCK];
        random(&mut iv)?;
        out.extend_from_slice(&iv);
        let mut sealed = out.split_off(out.len());
        sealed.extend_from_slice(plain);
        sealed.resize(plain.len() + BLOCK - plain.len() % BLOCK, 0);
        let key = self.0.bytes();
        let length = plain.len();
        let done = match key.len() {
            16 => encrypt::<aes::Aes128>(key, &iv, &mut sealed, length),
            24 => encrypt::<aes::Aes192>(key, &iv, &mut sealed, length),
            _ => encrypt::<aes::Aes256>(key, &iv, &mut sealed, length),
        };
        out.unsplit(sealed);
        done.ok_or(NoRandomness)
    }

    pub(crate) fn open(&self, stored: &[u8]) -> Result<Bytes, Undecipherable> {
        let (iv, sealed) = stored.split_at_checked(BLOCK).ok_or(Undecipherable)?;
        if sealed.is_empty() {
            return Err(Undecipherable);
        }
        let mut bytes = BytesMut::from(sealed);
        let key = self.0.bytes();
        let length = match key.len() {
            16 => decrypt::<aes::Aes128>(key, iv, &mut bytes),
            24 => decrypt::<aes::Aes192>(key, iv, &mut bytes),
            _ => decrypt::<aes::Aes256>(key, iv, &mut bytes),
        };
        bytes.truncate(length.ok_or(Undecipherable)?);
        Ok(bytes.freeze())
    }
}

fn encrypt<C>(key: &[u8], iv: &[u8], bytes: &mut [u8], length: usize) -> Option<()>
where
    cbc::Encryptor<C>: KeyIvInit + BlockModeEncrypt,
    C: aes::cipher::BlockCipherEncrypt,
{
    let cipher = cbc::Encryptor::<C>::new_from_slices(key, iv).ok()?;
    cipher
        .encrypt_padded::<Pkcs7>(bytes, length)
        .ok()
        .map(|_| ())
}

fn decrypt<C>(key: &[u8], iv: &[u8], bytes: &mut [u8]) -> Option<usize>
where
    cbc::Decryptor<C>: KeyIvInit + BlockModeDecrypt,
    C: aes::cipher::BlockCipherDecrypt,
{
    let cipher = cbc::Decryptor::<C>::new_from_slices(key, iv).ok()?;
    cipher.decrypt_padded::<Pkcs7>(bytes).ok().map(<[u8]>::len)
}

const BOX_NONCE: usize = 24;
const BOX_TAG: usize = 16;

impl SecretBox {
    /// `None` unless the key has 32 bytes.
    pub(crate) fn new(key: Secret) -> Option<Self> {
        (key.bytes().len() == 32).then_some(Self(key))
    }

    fn cipher(&self) -> Option<XSalsa20Poly1305> {
        XSalsa20Poly1305::new_from_slice(self.0.bytes()).ok()
    }

    pub(crate) fn seal(&self, plain: &[u8], out: &mut BytesMut) -> Sealed {
        let mut nonce = [0; BOX_NONCE];
        random(&mut nonce)?;
        let mut sealed = plain.to_vec();
        let cipher = self.cipher().ok_or(NoRandomness)?;
        let tag = cipher
            .encrypt_in_place_detached(&nonce.into(), b"", &mut sealed)
            .map_err(|_| NoRandomness)?;
        out.extend_from_slice(&nonce);
        out.extend_from_slice(&tag);
        out.extend_from_slice(&sealed);
        Ok(())
    }

    pub(crate) fn open(&self, stored: &[u8]) -> Result<Bytes, Undecipherable> {
        let (nonce, rest) = stored.split_at_checked(BOX_NONCE).ok_or(Undecipherable)?;
        let (tag, sealed) = rest.split_at_checked(BOX_TAG).ok_or(Undecipherable)?;
        let nonce: [u8; BOX_NONCE] = nonce.try_into().map_err(|_| Undecipherable)?;
        let tag: [u8; BOX_TAG] = tag.try_into().map_err(|_| Undecipherable)?;
        let mut bytes = BytesMut::from(sealed);
        let cipher = self.cipher().ok_or(Undecipherable)?;
        cipher
            .decrypt_in_place_detached(&nonce.into(), b"", &mut bytes, &tag.into())
            .map_err(|_| Undecipherable)?;
        Ok(bytes.freeze())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unhex(hex: &str) -> Vec<u8> {
        let digits = hex.as_bytes().chunks(2);
        digits
            .map(|d| u8::from_str_radix(std::str::from_utf8(d).unwrap(), 16).unwrap())
            .collect()
    }

    #[test]
    fn gcm_opens_a_published_vector() {
        // Test case 16 of the GCM submission to NIST.
        let key = "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308";
        let stored = concat!(
            "cafebabefacedbaddecaf888",
            "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa",
            "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662",
            "76fc6ece0f4e1768cddf8853bb2d551b",
        );
        let place = unhex("feedfacedeadbeeffeedfacedeadbeefabaddad2");
        let plain = concat!(
            "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72",
            "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
        );
        let gcm = Gcm::new(&Secret::new(unhex(key))).unwrap();
        let opened = gcm.open(&place, Bytes::from(unhex(stored)), 0).unwrap();
        assert_eq!(opened, unhex(plain));
    }

    #[test]
    fn cbc_opens_a_published_vector() {
        // NIST SP 800-38A, F.2.5, first block, and a block of padding computed from it.
        let key = "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4";
        let cbc = Cbc::new(Secret::new(unhex(key))).unwrap();
        let mut out = BytesMut::new();
        let plain = unhex("6bc1bee22e409f96e93d7e117393172a");
        cbc.seal(&plain, &mut out).unwrap();
        assert_eq!(
            out.len(),
            16 + 32,
            "a whole block of padding follows a whole block"
        );
        assert_eq!(cbc.open(&out).unwrap(), plain);
        let mut block = unhex("6bc1bee22e409f96e93d7e117393172a");
        block.resize(32, 0);
        let iv = unhex("000102030405060708090a0b0c0d0e0f");
        encrypt::<aes::Aes256>(&unhex(key), &iv, &mut block, 16).unwrap();
        assert_eq!(block[..16], unhex("f58c4c04d6e5f1ba779eabfb5f7bfbd6"));
    }

    #[test]
    fn secretbox_opens_a_published_vector() {
        // The vector of the NaCl paper's `tests/secretbox.c`, its first 32 bytes of message zero.
        let key = "1b27556473e985d462cd51197a9a46c76009549eac6474f206c4ee0844f68389";
        let nonce = "69696ee955b62b73cd62bda875fc73d68219e0036b7a0b37";
        let sealed = concat!(
            "f3ffc7703f9400e52a7dfb4b3d3305d9",
            "8e993b9f48681273c29650ba32fc76ce48332ea7164d96a4476fb8c531a1186a",
            "c0dfc17c98dce87b4da7f011ec48c97271d2c20f9b928fe2270d6fb863d51738",
            "b48eeee314a7cc8ab932164548e526ae90224368517acfeabd6bb3732bc0e9da",
            "99832b61ca01b6de56244a9e88d5f9b37973f622a43d14a6599b1f654cb45a74",
            "e355a5",
        );
        let secretbox = SecretBox::new(Secret::new(unhex(key))).unwrap();
        let opened = secretbox.open(&unhex(&format!("{nonce}{sealed}"))).unwrap();
        assert_eq!(opened.len(), 131);
        assert_eq!(opened[..8], unhex("be075fc53c81f2d5"));
    }

    #[test]
    fn keys_have_the_right_length() {
        for length in [0, 15, 16, 24, 31, 32, 33] {
            let secret = || Secret::new(vec![1; length]);
            assert_eq!(Gcm::new(&secret()).is_some(), [16, 32].contains(&length));
            assert_eq!(Cbc::new(secret()).is_some(), [16, 24, 32].contains(&length));
            assert_eq!(SecretBox::new(secret()).is_some(), length == 32);
        }
    }
}
