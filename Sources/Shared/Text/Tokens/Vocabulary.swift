/// Tokens by id and ids by token, where a token is a string of bytes.
///
/// All strings lie in one array. The table finds an id by the bytes (open addressing).
struct Vocabulary: Sendable {
    private(set) var bytes: [UInt8] = []
    /// Where each id's token lies; empty for ids that have none.
    private(set) var places: [Place] = []
    private var slots: [Int32]
    private var used = 0

    /// Where a token lies in `bytes`.
    struct Place {
        var start: UInt32 = 0
        var count: UInt32 = 0
        /// Whether the id has a token at all; an empty one is a token too.
        var isTaken = false
    }

    /// Ids beyond this are refused: they would only cost memory.
    static let idMax = 4_000_000
    private static let bytesMax = 1 << 30

    init(expecting count: Int) {
        var capacity = 64
        while capacity < min(count, Self.idMax) * 2 { capacity *= 2 }
        slots = [Int32](repeating: -1, count: capacity)
    }

    /// One more than the largest id.
    var count: Int { places.count }

    /// Gives `token` to `id`.
    ///
    /// - Parameter isReachable: whether text can become this token
    /// - Returns: false if the id has a token already
    mutating func insert(
        _ token: some Collection<UInt8>, id: Int, isReachable: Bool = true
    ) throws(TokenizerError) -> Bool {
        guard id >= 0, id <= Self.idMax else {
            throw .tooMany(what: "as a token id", count: id, countMax: Self.idMax)
        }
        guard bytes.count + token.count <= Self.bytesMax else {
            throw .tooMany(what: "bytes of tokens", count: bytes.count, countMax: Self.bytesMax)
        }
        while places.count <= id { places.append(Place()) }
        guard !places[id].isTaken else { return false }
        places[id] = Place(
            start: UInt32(bytes.count), count: UInt32(token.count), isTaken: true)
        bytes.append(contentsOf: token)
        if isReachable { link(id) }
        return true
    }

    private mutating func link(_ id: Int) {
        used += 1
        if used * 2 > slots.count { grow() }
        let slot = bytes.withUnsafeBufferPointer { all in
            find(UnsafeBufferPointer(rebasing: all[range(of: id)]))
        }
        // Of two equal tokens the later one counts, as in a JSON object read into a dictionary.
        slots[slot] = Int32(id)
    }

    private mutating func grow() {
        let ids = slots.filter { $0 >= 0 }
        slots = [Int32](repeating: -1, count: slots.count * 2)
        bytes.withUnsafeBufferPointer { all in
            for id in ids {
                slots[find(UnsafeBufferPointer(rebasing: all[range(of: Int(id))]))] = id
            }
        }
    }

    private func range(of id: Int) -> Range<Int> {
        let place = places[id]
        return Int(place.start)..<Int(place.start + place.count)
    }

    /// The bytes of a token; nil if there is no such id.
    func token(_ id: Int) -> ArraySlice<UInt8>? {
        guard places.indices.contains(id), places[id].isTaken else { return nil }
        return bytes[range(of: id)]
    }

    /// The id of a token; nil if there is none.
    func id(of token: UnsafeBufferPointer<UInt8>) -> Int32? {
        let id = slots[find(token)]
        return id < 0 ? nil : id
    }

    /// The id of a token; nil if there is none.
    func id(of token: [UInt8]) -> Int32? { token.withUnsafeBufferPointer { id(of: $0) } }

    /// The slot that holds the token, or the free one where it belongs.
    private func find(_ token: UnsafeBufferPointer<UInt8>) -> Int {
        let mask = slots.count - 1
        var slot = Int(truncatingIfNeeded: WordHash.hash(token)) & mask
        while slots[slot] >= 0, !holds(Int(slots[slot]), token) { slot = (slot + 1) & mask }
        return slot
    }

    private func holds(_ id: Int, _ token: UnsafeBufferPointer<UInt8>) -> Bool {
        let place = places[id]
        guard Int(place.count) == token.count else { return false }
        return bytes.withUnsafeBufferPointer { all in
            for index in 0..<token.count where all[Int(place.start) + index] != token[index] {
                return false
            }
            return true
        }
    }
}

/// A quick hash of short byte strings. Attackers may find collisions: what they can win is a slow
/// tokenizer file of their own.
enum WordHash {
    @inline(__always)
    static func hash(_ word: UnsafeBufferPointer<UInt8>) -> UInt64 {
        guard let base = word.baseAddress else { return 0x9e37_79b9_7f4a_7c15 }
        let raw = UnsafeRawPointer(base)
        var state = UInt64(word.count) &* 0x9e37_79b9_7f4a_7c15
        var position = 0
        while position + 8 <= word.count {
            state = mix(state ^ raw.loadUnaligned(fromByteOffset: position, as: UInt64.self))
            position += 8
        }
        var rest: UInt64 = 0
        while position < word.count {
            rest = rest << 8 | UInt64(base[position])
            position += 1
        }
        return mix(state ^ rest)
    }

    @inline(__always)
    static func mix(_ value: UInt64) -> UInt64 {
        let product = value.multipliedFullWidth(by: 0xd6e8_feb8_6659_fd93)
        return product.high ^ product.low &* 0x9e37_79b9_7f4a_7c15
    }
}
