use super::{Kind, Read, read::Reader, write::Writer};
use crate::{
    rng::siphash,
    types::{ClientId, Secret, SessionId},
};

/// A question on a direct path whether the other end is who it should be, or the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Greeting {
    /// The session.
    pub session: SessionId,
    /// Who greets or answers.
    pub sender: ClientId,
    /// Who is greeted or answered.
    pub receiver: ClientId,
    /// The question's.
    pub nonce: u64,
    /// SipHash-2-4 over everything before it, keyed with the pair secret.
    pub proof: u64,
}

const BYTES: usize = 25;
const PROVEN: usize = BYTES - 8;

impl Greeting {
    /// A greeting, or an answer, with its proof.
    pub fn new(
        answer: bool,
        session: SessionId,
        sender: ClientId,
        receiver: ClientId,
        nonce: u64,
        secret: &Secret,
    ) -> Self {
        let unproven = Self { session, sender, receiver, nonce, proof: 0 };
        Self { proof: unproven.proof(answer, secret), ..unproven }
    }

    /// Whether the proof is right.
    pub fn is_proven(&self, answer: bool, secret: &Secret) -> bool {
        core::hint::black_box(self.proof ^ self.proof(answer, secret)) == 0
    }

    fn proof(&self, answer: bool, secret: &Secret) -> u64 {
        let mut bytes = [0; BYTES];
        let kind = if answer { Kind::GreetAck } else { Kind::Greet };
        let mut writer = Writer::new(&mut bytes);
        writer.u8(kind as u8);
        self.write(&mut writer);
        siphash(secret, bytes.get(..PROVEN).unwrap_or_default())
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Read<Self> {
        let greeting = Self {
            session: reader.session()?,
            sender: reader.client()?,
            receiver: reader.client()?,
            nonce: reader.u64()?,
            proof: reader.u64()?,
        };
        reader.end().map(|()| greeting)
    }

    pub(super) fn write(&self, writer: &mut Writer<'_>) {
        writer.u32(self.session.get()).u16(self.sender.get()).u16(self.receiver.get()).u64(self.nonce).u64(self.proof);
    }
}
