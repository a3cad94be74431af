/// A compiled regular expression over UTF-8, for splitting text into words.
///
/// Each of its top-level alternatives is a short program for a backtracking machine; a table says
/// which of them can start with a byte, so that on most text one alternative is tried per word.
final class Pattern: @unchecked Sendable {
    // The buffers are written by the initialiser only.
    let steps: UnsafeBufferPointer<Step>
    let sets: UnsafeBufferPointer<ScalarSet>
    /// Where each top-level alternative starts.
    private let entries: [Int32]
    /// For each byte, which alternatives may start with it.
    private let starts: UnsafeMutablePointer<UInt64>

    /// One instruction.
    struct Step {
        let operation: Operation
        var set: Int32 = 0
        var min: Int32 = 0
        var max: Int32 = 0
        var target: Int32 = 0
    }

    enum Operation {
        /// Match one scalar of `set`.
        case one
        /// Match as many scalars of `set` as there are, from `min` to `max`; give back on demand.
        case run
        /// The same, and never give back.
        case possessiveRun
        /// Go on here, and on failure at `target`.
        case fork
        case jump
        /// Go on at `target` if what starts here up to `accept` matches, or does not.
        case ahead, notAhead
        case atStart, atEnd
        /// Where a word starts or ends, or does not; `set` is what words are made of.
        case atBoundary, notAtBoundary
        case accept
    }

    /// Compiles `source`.
    /// - Parameter matchesAll: whether a match must reach the end of the text
    init(_ source: String, matchesAll: Bool = false) throws(TokenizerError) {
        var parser = PatternParser(source)
        var tree = try parser.parse()
        if matchesAll { tree = .sequence([tree, .atEnd]) }
        var compiler = PatternCompiler(source: source)
        var entries: [Int32] = []
        let options = if case .choice(let options) = tree { options } else { [tree] }
        guard options.count <= 64 else {
            throw .badPattern(
                pattern: String(source.prefix(200)), offset: 0,
                why: "\(options.count) alternatives, 64 allowed")
        }
        for option in options {
            entries.append(Int32(compiler.steps.count))
            try compiler.compile(option)
            compiler.steps.append(Step(operation: .accept))
        }
        self.entries = entries
        steps = Self.copy(compiler.steps)
        sets = Self.copy(compiler.sets)
        starts = .allocate(capacity: 256)
        starts.initialize(repeating: 0, count: 256)
        for (index, entry) in entries.enumerated() {
            let bytes = compiler.firstBytes(from: Int(entry))
            for byte in 0..<256 where bytes.contains(byte) { starts[byte] |= 1 << UInt64(index) }
        }
    }

    deinit {
        steps.deallocate()
        UnsafeMutableBufferPointer(mutating: sets).deinitialize()
        sets.deallocate()
        starts.deallocate()
    }

    private static func copy<T>(_ array: [T]) -> UnsafeBufferPointer<T> {
        let copy = UnsafeMutableBufferPointer<T>.allocate(capacity: array.count)
        _ = copy.initialize(from: array)
        return UnsafeBufferPointer(copy)
    }

    /// The end of the match that starts at `position`; nil if there is none or it is empty.
    @inline(__always)
    func matchEnd(
        in text: UnsafeBufferPointer<UInt8>, at position: Int, _ scratch: inout MatchScratch
    ) throws(TokenizerError) -> Int? {
        var options = starts[Int(text[position])]
        while options != 0 {
            let entry = entries[options.trailingZeroBitCount]
            options &= options &- 1
            let end = try run(from: Int(entry), at: position, in: text, &scratch)
            if end > position { return end }
        }
        return nil
    }
}

/// What matching needs besides the pattern: the memory of open choices, and a budget of steps.
struct MatchScratch {
    /// Where to go on when an attempt fails.
    struct Choice {
        let step: Int32
        let position: Int32
        /// How far back a run may give up scalars; equal to `position` for other choices.
        let least: Int32
    }

    var choices: [Choice] = []
    private(set) var stepsLeft = 0
    private var stepsMax = 0
    private var textBytes = 0

    /// Sets the budget for a text: hostile patterns can take exponential time.
    mutating func start(textBytes: Int) {
        self.textBytes = textBytes
        stepsMax = 100_000 + 500 * textBytes
        stepsLeft = stepsMax
        choices.removeAll(keepingCapacity: true)
    }

    @inline(__always)
    mutating func spend(_ steps: Int) throws(TokenizerError) {
        stepsLeft -= steps
        if stepsLeft < 0 {
            throw .patternTooSlow(textBytes: textBytes, stepsMax: stepsMax)
        }
    }
}

extension Pattern {
    /// Runs the program from `entry`; the end of the match or -1.
    private func run(
        from entry: Int, at start: Int, in text: UnsafeBufferPointer<UInt8>,
        _ scratch: inout MatchScratch
    ) throws(TokenizerError) -> Int {
        guard let base = text.baseAddress else { return -1 }
        let floor = scratch.choices.count
        var (pc, position) = (entry, start)
        while true {
            try scratch.spend(1)
            let step = steps[pc]
            var isMatch = true
            switch step.operation {
            case .one:
                isMatch = false
                if position < text.count {
                    let (scalar, end) = UTF8Scalars.next(base, position)
                    if sets[Int(step.set)].contains(scalar) { (isMatch, position) = (true, end) }
                }
            case .run, .possessiveRun:
                let (least, most) = measure(step, text, position)
                try scratch.spend(most < 0 ? 1 : (most - position) / 8)
                isMatch = most >= 0
                if isMatch {
                    if step.operation == .run, most > least {
                        scratch.choices.append(
                            MatchScratch.Choice(
                                step: Int32(pc + 1), position: Int32(most), least: Int32(least)))
                    }
                    position = most
                }
            case .fork:
                scratch.choices.append(
                    MatchScratch.Choice(
                        step: step.target, position: Int32(position), least: Int32(position)))
            case .jump:
                pc = Int(step.target)
                continue
            case .ahead, .notAhead:
                let end = try run(from: pc + 1, at: position, in: text, &scratch)
                isMatch = (end >= 0) == (step.operation == .ahead)
                if isMatch {
                    pc = Int(step.target)
                    continue
                }
            case .atStart: isMatch = position == 0
            case .atEnd: isMatch = position == text.count
            case .atBoundary: isMatch = isBoundary(step, base, position, text.count)
            case .notAtBoundary: isMatch = !isBoundary(step, base, position, text.count)
            case .accept:
                scratch.choices.removeLast(scratch.choices.count - floor)
                return position
            }
            if isMatch {
                pc += 1
            } else if !retreat(&pc, &position, base, &scratch, floor) {
                return -1
            }
        }
    }

    private func isBoundary(
        _ step: Step, _ base: UnsafePointer<UInt8>, _ position: Int, _ count: Int
    ) -> Bool {
        let word = sets[Int(step.set)]
        func isWord(at start: Int) -> Bool { word.contains(UTF8Scalars.next(base, start).0) }
        let before = position > 0 && isWord(at: UTF8Scalars.start(before: position, in: base))
        return before != (position < count && isWord(at: position))
    }

    /// Takes up the latest open choice; false if there is none.
    @inline(__always)
    private func retreat(
        _ pc: inout Int, _ position: inout Int, _ base: UnsafePointer<UInt8>,
        _ scratch: inout MatchScratch, _ floor: Int
    ) -> Bool {
        guard scratch.choices.count > floor, let choice = scratch.choices.popLast() else {
            return false
        }
        pc = Int(choice.step)
        position = Int(choice.position)
        if choice.position > choice.least {
            position = UTF8Scalars.start(before: position, in: base)
            if position > Int(choice.least) {
                scratch.choices.append(
                    MatchScratch.Choice(
                        step: choice.step, position: Int32(position), least: choice.least))
            }
        }
        return true
    }

    /// How far a run reaches at least and at most; -1 if it falls short of its minimum.
    @inline(__always)
    private func measure(
        _ step: Step, _ text: UnsafeBufferPointer<UInt8>, _ start: Int
    ) -> (least: Int, most: Int) {
        let set = sets.baseAddress! + Int(step.set)
        let base = text.baseAddress!
        var (position, count, least) = (start, Int32(0), step.min == 0 ? start : -1)
        while position < text.count, count < step.max {
            let (scalar, end) = UTF8Scalars.next(base, position)
            guard set.pointee.contains(scalar) else { break }
            position = end
            count += 1
            if count == step.min { least = position }
        }
        return count < step.min ? (-1, -1) : (least, position)
    }
}
