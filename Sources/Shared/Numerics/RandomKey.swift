internal import CKernels

/// Names an endless sequence of random numbers: number i depends on the key and i alone, not on
/// when, where or by how many threads it is drawn. Keys are derived from keys by what the
/// randomness is for, so that nothing that is added elsewhere moves it:
///
///     RandomKey(seed: job.seed).child(epoch).child(example.number).child("augmentation")
///
/// The numbers are those of Philox4x32-10 (philox.h).
package struct RandomKey: Hashable, Sendable {
    /// The key of the generator, and the upper half of its counter.
    let key: UInt64
    let stream: UInt64

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
        let words = RandomKey.block(index, key: key ^ mark, stream: stream)
        return RandomKey(
            key: UInt64(words[1]) << 32 | UInt64(words[0]),
            stream: UInt64(words[3]) << 32 | UInt64(words[2]))
    }

    /// 32 random bits.
    package func word(at index: Int) -> UInt32 {
        RandomKey.block(UInt64(index) / 4, key: key, stream: stream)[index % 4]
    }

    /// A number in [0, 1): element `index` of `Tensor.uniform`, bit for bit.
    package func uniform(at index: Int) -> Float { ck_philox_uniform(word(at: index)) }

    /// A normal number: element `index` of `Tensor.normal`, bit for bit.
    package func normal(at index: Int) -> Float {
        let pair = [word(at: index & ~1), word(at: index | 1)]
        let normals = [Float](unsafeUninitializedCapacity: 2) { normals, count in
            ck_philox_normals(pair, normals.baseAddress)
            count = 2
        }
        return normals[index & 1]
    }

    /// The four words of one block.
    static func block(_ index: UInt64, key: UInt64, stream: UInt64) -> [UInt32] {
        [UInt32](unsafeUninitializedCapacity: 4) { words, count in
            ck_philox(key, stream, index, words.baseAddress)
            count = 4
        }
    }

    /// What kernels take of it.
    var numbers: [Int] { [Int(bitPattern: UInt(key)), Int(bitPattern: UInt(stream))] }
}
