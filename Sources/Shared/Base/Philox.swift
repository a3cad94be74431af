/// The counter-based generator Philox4x32-10 (Salmon, Moraes, Dror and Shaw: Parallel Random
/// Numbers: As Easy as 1, 2, 3; SC11): the words of a block are a function of key, stream and
/// block alone. The counter is the block in its low and the stream in its high half.
package enum Philox {
    /// The four words of one block.
    package static func block(_ index: UInt64, key: UInt64, stream: UInt64) -> SIMD4<UInt32> {
        var words = SIMD4(low(index), high(index), low(stream), high(stream))
        var (first, second) = (low(key), high(key))
        for _ in 0..<10 {
            let a = UInt64(words.x) * 0xD251_1F53
            let b = UInt64(words.z) * 0xCD9E_8D57
            words = SIMD4(high(b) ^ words.y ^ first, low(b), high(a) ^ words.w ^ second, low(a))
            first &+= 0x9E37_79B9
            second &+= 0xBB67_AE85
        }
        return words
    }

    /// 64 random bits that depend on the seed and the number alone.
    package static func mixed(_ number: UInt64, seed: UInt64) -> UInt64 {
        let words = block(number, key: seed, stream: 0)
        return UInt64(words.y) << 32 | UInt64(words.x)
    }

    private static func low(_ number: UInt64) -> UInt32 { UInt32(truncatingIfNeeded: number) }
    private static func high(_ number: UInt64) -> UInt32 { UInt32(number >> 32) }
}
