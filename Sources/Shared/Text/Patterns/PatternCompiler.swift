/// Turns a pattern's tree into instructions.
struct PatternCompiler {
    let source: String
    private(set) var sets: [ScalarSet] = []
    var steps: [Pattern.Step] = []

    private static let stepsMax = 20_000

    init(source: String) { self.source = source }

    mutating func compile(_ tree: PatternTree) throws(TokenizerError) {
        guard steps.count < Self.stepsMax else {
            throw .badPattern(
                pattern: String(source.prefix(200)), offset: 0,
                why: "takes more than \(Self.stepsMax) instructions")
        }
        switch tree {
        case .set(let set): steps.append(Pattern.Step(operation: .one, set: number(of: set)))
        case .sequence(let parts): for part in parts { try compile(part) }
        case .choice(let options): try compile(options: options)
        case .repeated(.set(let set), let min, let max, let mode) where mode != .lazy:
            steps.append(
                Pattern.Step(
                    operation: mode == .greedy ? .run : .possessiveRun, set: number(of: set),
                    min: Int32(min), max: max == .max ? .max : Int32(max)))
        case .repeated(let part, let min, let max, let mode):
            try compile(part, min: min, max: max, mode)
        case .lookAhead(let part, let isNegated):
            let index = reserve(isNegated ? .notAhead : .ahead)
            try compile(part)
            steps.append(Pattern.Step(operation: .accept))
            steps[index].target = Int32(steps.count)
        case .atStart: steps.append(Pattern.Step(operation: .atStart))
        case .atEnd: steps.append(Pattern.Step(operation: .atEnd))
        case .atBoundary(let isNegated):
            steps.append(
                Pattern.Step(
                    operation: isNegated ? .notAtBoundary : .atBoundary,
                    set: number(of: .word)))
        }
    }

    private mutating func number(of set: ScalarSet) -> Int32 {
        if let index = sets.firstIndex(of: set) { return Int32(index) }
        sets.append(set)
        return Int32(sets.count - 1)
    }

    private mutating func reserve(_ operation: Pattern.Operation) -> Int {
        steps.append(Pattern.Step(operation: operation))
        return steps.count - 1
    }

    private mutating func compile(options: [PatternTree]) throws(TokenizerError) {
        var ends: [Int] = []
        for (index, option) in options.enumerated() {
            guard index + 1 < options.count else {
                try compile(option)
                break
            }
            let fork = reserve(.fork)
            try compile(option)
            ends.append(reserve(.jump))
            steps[fork].target = Int32(steps.count)
        }
        for end in ends { steps[end].target = Int32(steps.count) }
    }

    private mutating func compile(
        _ part: PatternTree, min: Int, max: Int, _ mode: PatternTree.Mode
    ) throws(TokenizerError) {
        guard mode != .possessive else {
            throw .badPattern(
                pattern: String(source.prefix(200)), offset: 0,
                why: "possessive repetition of a group is not supported")
        }
        for _ in 0..<min { try compile(part) }
        if max == .max {
            let fork = try compileOptional(part, mode)
            steps.append(Pattern.Step(operation: .jump, target: Int32(fork)))
            close(fork, mode)
        } else {
            var forks: [Int] = []
            for _ in min..<max { forks.append(try compileOptional(part, mode)) }
            for fork in forks { close(fork, mode) }
        }
    }

    /// Compiles a part that may be left out; `close` says where to go on without it.
    private mutating func compileOptional(
        _ part: PatternTree, _ mode: PatternTree.Mode
    ) throws(TokenizerError) -> Int {
        let fork = reserve(.fork)
        // A lazy one first tries to go on: it forks to the part and jumps over it.
        if mode == .lazy {
            _ = reserve(.jump)
            steps[fork].target = Int32(steps.count)
        }
        try compile(part)
        return fork
    }

    private mutating func close(_ fork: Int, _ mode: PatternTree.Mode) {
        steps[mode == .lazy ? fork + 1 : fork].target = Int32(steps.count)
    }

    /// The bytes that a match from `entry` may start with, or more.
    func firstBytes(from entry: Int) -> Set<Int> {
        var (open, seen, bytes) = ([entry], Set<Int>(), Set<Int>())
        while let index = open.popLast() {
            guard seen.insert(index).inserted else { continue }
            let step = steps[index]
            switch step.operation {
            case .one, .run, .possessiveRun:
                bytes.formUnion(firstBytes(of: sets[Int(step.set)]))
                if step.operation != .one, step.min == 0 { open.append(index + 1) }
            case .fork: open += [index + 1, Int(step.target)]
            case .jump, .ahead, .notAhead: open.append(Int(step.target))
            case .atStart, .atEnd, .atBoundary, .notAtBoundary: open.append(index + 1)
            case .accept: return Set(0..<256)
            }
        }
        return bytes
    }

    private func firstBytes(of set: ScalarSet) -> Set<Int> {
        let far = set.reachesBeyondASCII ? Set(128..<256) : []
        return far.union((0..<128).filter { set.contains(UInt32($0)) })
    }
}
