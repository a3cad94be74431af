import Numerics
import Testing

/// What the op table does not show: which bits a row's result depends on, and pages.
@Suite struct AttentionTests {
    /// Numbers that look random, the same at each run, of every type exactly.
    private static func numbers(_ shape: Shape, _ seed: UInt64, _ type: DType, on cpu: CPUBackend)
        -> Tensor
    {
        var state = seed &* 0x9E37_79B9_7F4A_7C15 | 1
        let values = (0..<shape.count).map { _ -> Float in
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            return Float(Int(state >> 56) - 128) / 64
        }
        return Tensor(values, shape, on: cpu).converted(to: type)
    }

    private struct Rows {
        let q, k, v: Tensor

        init(
            _ queries: Int, _ keys: Int, _ heads: (Int, Int, Int), _ type: DType, on cpu: CPUBackend
        ) {
            q = AttentionTests.numbers([queries, heads.0, heads.2], 1, type, on: cpu)
            k = AttentionTests.numbers([keys, heads.1, heads.2], 2, type, on: cpu)
            v = AttentionTests.numbers([keys, heads.1, heads.2], 3, type, on: cpu)
        }
    }

    /// Rows of a tensor `[N, ...]` as a tensor of their own.
    private static func rows(_ x: Tensor, _ range: Range<Int>) -> Tensor {
        let bytes = x.bytes()
        let row = bytes.count / x.shape[0]
        return bytes[range.lowerBound * row..<range.upperBound * row].withUnsafeBytes {
            Tensor(bytes: $0, shape: x.shape.withRows(range.count), type: x.type, on: x.backend)
        }
    }

    private static let tiersAndTypes = CPUBackend.Tier.available.flatMap { tier in
        [DType.float32, .bfloat16, .float16].map { (tier, $0) }
    }

    @Test(arguments: tiersAndTypes)
    func queriesAloneHaveTheBitsOfTheWhole(tier: CPUBackend.Tier, type: DType) throws {
        let cpu = try CPUBackend(tier: tier, threads: 2)
        let all = Rows(200, 200, (4, 2, 24), type, on: cpu)
        let whole = all.q.attention(
            all.k, all.v, Segments(lengths: [200]), causal: true, scale: 0.2)
        for range in [5..<10, 0..<1, 60..<131, 127..<129, 199..<200] {
            let (q, end) = (Self.rows(all.q, range), range.upperBound)
            let some = q.attention(
                Self.rows(all.k, 0..<end), Self.rows(all.v, 0..<end),
                Segments(queryLengths: [range.count], keyLengths: [end]), causal: true, scale: 0.2)
            #expect(some.bytes() == Self.rows(whole, range).bytes(), "\(range)")
        }
    }

    @Test(arguments: tiersAndTypes)
    func aSequenceDoesNotDependOnItsBatch(tier: CPUBackend.Tier, type: DType) throws {
        let cpu = try CPUBackend(tier: tier, threads: 2)
        let lengths = [3, 70, 1, 140, 9]
        let all = Rows(223, 223, (2, 1, 20), type, on: cpu)
        for causal in [true, false] {
            let batch = Segments(lengths: lengths)
            let whole = all.q.attention(all.k, all.v, batch, causal: causal, scale: 0.3)
            for (index, length) in lengths.enumerated() {
                let range = batch.queryRows(of: index)
                let alone = Self.rows(all.q, range).attention(
                    Self.rows(all.k, range), Self.rows(all.v, range),
                    Segments(lengths: [length]), causal: causal, scale: 0.3)
                #expect(alone.bytes() == Self.rows(whole, range).bytes(), "\(length), \(causal)")
            }
        }
    }

    /// 2,500 keys are three parts of the softmax and five parts of the gradients.
    @Test(arguments: [DType.float32, .bfloat16])
    func longSequencesHaveTheSameBitsOnAnyThreads(type: DType) throws {
        let runs = try [1, 2, 3].map { threads in
            let cpu = try CPUBackend(threads: threads)
            let all = Rows(300, 2500, (2, 1, 16), type, on: cpu)
            let inputs = [all.q, all.k, all.v].map { $0.tracked() }
            let y = inputs[0].attention(
                inputs[1], inputs[2], Segments(queryLengths: [300], keyLengths: [2500]),
                causal: true, scale: 0.25)
            let gradients = y.gradients(seed: all.q)
            return [y.bytes()] + inputs.map { gradients[$0]?.bytes() ?? [] }
        }
        #expect(runs[0] == runs[1] && runs[0] == runs[2])
        #expect(runs[0].allSatisfy { !$0.isEmpty })
    }

    /// The sum over 2,500 equal keys is their value, and each key has the same share of it.
    @Test func partsOfLongSequencesAreJoined() throws {
        let cpu = try CPUBackend(threads: 2)
        let keys = 2500
        let q = Tensor.filled(1, [3, 1, 8], on: cpu).tracked()
        let k = Tensor.filled(0.5, [keys, 1, 8], on: cpu).tracked()
        let v = Tensor((0..<keys * 8).map { Float($0 / 8) }, [keys, 1, 8], on: cpu).tracked()
        let y = q.attention(
            k, v, Segments(queryLengths: [3], keyLengths: [keys]), causal: false, scale: 1)
        #expect(y.floats().allSatisfy { abs($0 - 1249.5) < 0.01 })
        let gradients = y.gradients(seed: Tensor.filled(1, [3, 1, 8], on: cpu))
        let dv = gradients[v]?.floats() ?? []
        #expect(dv.count == keys * 8 && dv.allSatisfy { abs($0 - 3 / Float(keys)) < 1e-6 })
        // Weights sum to one, so a score that moves all of them moves nothing.
        let dq = gradients[q]?.floats() ?? []
        #expect(dq.count == 24 && dq.allSatisfy { abs($0) < 0.05 })
    }

    @Test func aSequenceWithoutKeysGivesZeros() throws {
        let cpu = try CPUBackend(threads: 1)
        let all = Rows(2, 1, (1, 1, 4), .float32, on: cpu)
        let q = all.q.tracked()
        let y = q.attention(
            all.k, all.v, Segments(queryLengths: [1, 1], keyLengths: [0, 1]), causal: false,
            scale: 1)
        #expect(y.floats() == [0, 0, 0, 0] + all.v.floats())
        #expect(y.gradients(seed: all.q)[q]?.floats().prefix(4) == [0, 0, 0, 0])
    }
}

extension AttentionTests {
    /// Sequences in pages that lie in no order, as after much serving.
    private struct Served {
        let pages: KeyValuePages
        let table: PageTable
        let all: Rows
        let segments: Segments
        /// The pages of each sequence.
        let numbers: [[Int32]]

        init(
            _ queries: [Int], _ keys: [Int], pageRows: Int, width: Int = 24, _ type: DType,
            compressed: Bool = false, on cpu: CPUBackend
        ) {
            segments = Segments(queryLengths: queries, keyLengths: keys)
            all = Rows(segments.queryRows, segments.keyRows, (6, 2, width), type, on: cpu)
            let counts = keys.map { ($0 + pageRows - 1) / pageRows }
            let count = counts.reduce(0, +)
            let order =
                (0..<Int32(count)).filter { $0 % 2 == 1 }.reversed()
                + (0..<Int32(count)).filter { $0 % 2 == 0 }
            var (numbers, slots): ([[Int32]], [Int32]) = ([], [])
            for (index, some) in counts.enumerated() {
                let first = counts.prefix(index).reduce(0, +)
                numbers.append(Array(order[first..<first + some]))
                slots += (0..<keys[index]).map {
                    order[first + $0 / pageRows] * Int32(pageRows) + Int32($0 % pageRows)
                }
            }
            pages = KeyValuePages(
                pages: count, pageRows: pageRows, heads: (2, width), type: type,
                compressed: compressed, on: cpu)
            pages.write(all.k, all.v, at: Tensor(slots, on: cpu))
            table = PageTable(segments, pages: numbers, pageRows: pageRows, on: cpu)
            self.numbers = numbers
        }

        var paged: Tensor { pages.attention(all.q, table, scale: 0.2) }
        var ragged: Tensor { all.q.attention(all.k, all.v, segments, causal: true, scale: 0.2) }
    }

    @Test(arguments: tiersAndTypes)
    func pagesGiveTheBitsOfRows(tier: CPUBackend.Tier, type: DType) throws {
        let cpu = try CPUBackend(tier: tier, threads: 2)
        for pageRows in [1, 16, 128, 48] {
            let decoding = Served([1, 1, 1], [1, 129, 1300], pageRows: pageRows, type, on: cpu)
            #expect(decoding.paged.bytes() == decoding.ragged.bytes(), "\(pageRows)")
            let chunk = Served([5, 40, 1], [5, 200, 77], pageRows: pageRows, type, on: cpu)
            #expect(chunk.paged.bytes() == chunk.ragged.bytes(), "\(pageRows)")
        }
    }

    /// Heads and pages of whole panels lie as tiles; those beside them do not.
    @Test(arguments: tiersAndTypes)
    func pagesOfAnyShapeGiveTheBitsOfRows(tier: CPUBackend.Tier, type: DType) throws {
        let cpu = try CPUBackend(tier: tier, threads: 2)
        for width in [32, 96, 128, 40] {
            for pageRows in [32, 96, 16] {
                let served = Served(
                    [1, 1, 2, 1, 20], [1, 34, 131, 600, 90], pageRows: pageRows, width: width,
                    type, on: cpu)
                #expect(served.paged.bytes() == served.ragged.bytes(), "\(width), \(pageRows)")
            }
        }
    }

    /// Among 64 others, and as one of many queries, a row of pages has the bits it has alone.
    @Test(arguments: tiersAndTypes)
    func aRowOfPagesDoesNotDependOnItsBatch(tier: CPUBackend.Tier, type: DType) throws {
        let cpu = try CPUBackend(tier: tier, threads: 2)
        for compressed in [false, true] {
            let keys = (0..<64).map { $0 * 3 + 1 }
            let queries = keys.map { $0 % 5 == 0 ? min($0, 30) : 1 }
            let many = Served(
                queries, keys, pageRows: 32, width: 64, type, compressed: compressed, on: cpu)
            let whole = many.paged
            for index in [0, 3, 23, 43, 63] {
                let (query, own) = (many.segments.queryRows(of: index).upperBound - 1, keys[index])
                let table = PageTable(
                    Segments(queryLengths: [1], keyLengths: [own]),
                    pages: [many.numbers[index]], pageRows: 32, on: cpu)
                let alone = many.pages.attention(
                    Self.rows(many.all.q, query..<query + 1), table, scale: 0.2)
                #expect(
                    alone.bytes() == Self.rows(whole, query..<query + 1).bytes(),
                    "\(index), \(compressed)")
            }
        }
    }

    /// The last row of a sequence has the same bits whether its keys' parts are cut or not.
    @Test func decodingHasTheBitsOfPrefill() throws {
        let cpu = try CPUBackend(threads: 2)
        let all = Rows(2200, 2200, (2, 1, 16), .bfloat16, on: cpu)
        let whole = all.q.attention(
            all.k, all.v, Segments(lengths: [2200]), causal: true, scale: 0.25)
        let last = Self.rows(all.q, 2199..<2200).attention(
            all.k, all.v, Segments(queryLengths: [1], keyLengths: [2200]), causal: true,
            scale: 0.25)
        #expect(last.bytes() == Self.rows(whole, 2199..<2200).bytes())
    }

    @Test(arguments: tiersAndTypes)
    func compressedPagesAreNear(tier: CPUBackend.Tier, type: DType) throws {
        let cpu = try CPUBackend(tier: tier, threads: 2)
        for (pageRows, width) in [(16, 24), (64, 64), (32, 128), (96, 32)] {
            let served = Served(
                [1, 3, 40], [40, 151, 135], pageRows: pageRows, width: width, type,
                compressed: true, on: cpu)
            let (found, exact) = (served.paged.floats(), served.ragged.floats())
            let furthest = zip(found, exact).map { abs($0 - $1) }.max() ?? .infinity
            #expect(furthest < 0.05, "\(furthest) of \(pageRows), \(width)")
        }
    }

    @Test func aRowWithoutSlotIsNotKept() throws {
        let cpu = try CPUBackend(threads: 1)
        let all = Rows(1, 2, (1, 1, 8), .float32, on: cpu)
        let pages = KeyValuePages(pages: 1, pageRows: 2, heads: (1, 8), type: .float32, on: cpu)
        pages.write(all.k, all.v, at: Tensor([0, 1], on: cpu))
        pages.write(all.v, all.k, at: Tensor([-1, 1], on: cpu))
        let table = PageTable(
            Segments(queryLengths: [1], keyLengths: [1]), pages: [[0]], pageRows: 2, on: cpu)
        #expect(
            pages.attention(all.q, table, scale: 1).floats()
                == Self.rows(all.v, 0..<1).floats())
    }
}
