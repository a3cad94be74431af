/// Names an endless sequence of random numbers: number i depends on the key and i alone, not on
/// when, where or by how many threads it is drawn. Keys are derived from keys by what the
/// randomness is for, so that nothing that is added elsewhere moves it:
///
///     RandomKey(seed: job.seed).child(epoch).child(example.number).child("augmentation")
///
/// The numbers are those of `Philox`, on the host as in kernels.
package struct RandomKey: Hashable, Sendable {
    /// The key of the generator.
    package let key: UInt64
    /// The upper half of the generator's counter.
    package let stream: UInt64

    /// The key that a run's other keys derive from.
    package init(seed: UInt64) { self.init(key: seed, stream: 0) }

    private init(key: UInt64, stream: UInt64) {
        self.key = key
        self.stream = stream
    }

    /// The key of one of many: an epoch, an example, a position.
    package func child(_ index: Int) -> RandomKey {
        derived(UInt64(bitPattern: Int64(index)), mark: 0x6368_696C_642D_2331)
    }

    /// The key of a purpose.
    package func child(_ purpose: String) -> RandomKey {
        // FNV-1a, because Swift's own hashes differ from run to run.
        let hash = purpose.utf8.reduce(UInt64(0xCBF2_9CE4_8422_2325)) { hash, byte in
            (hash ^ UInt64(byte)) &* 0x100_0000_01B3
        }
        return derived(hash, mark: 0x7075_7270_6F73_6531)
    }

    /// Half a block is the new key, half the new stream. The mark keeps these blocks apart from
    /// those that numbers are made of.
    private func derived(_ index: UInt64, mark: UInt64) -> RandomKey {
        let words = Philox.block(index, key: key ^ mark, stream: stream)
        return RandomKey(
            key: UInt64(words[1]) << 32 | UInt64(words[0]),
            stream: UInt64(words[3]) << 32 | UInt64(words[2]))
    }

    /// 32 random bits.
    package func word(at index: Int) -> UInt32 {
        Philox.block(UInt64(index) / 4, key: key, stream: stream)[index % 4]
    }

    /// A multiple of 2⁻²⁴ in [0, 1).
    package func uniform(at index: Int) -> Float { Float(word(at: index) >> 8) * 0x1p-24 }
}
