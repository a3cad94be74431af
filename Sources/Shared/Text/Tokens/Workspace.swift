/// What one call of `Tokenizer.encode` works with; kept for the next one.
struct Workspace {
    var options = EncodeOptions()
    var text = AlignedText(isTracking: false)
    var scratch = MatchScratch()
    private var symbols = SymbolRow()
    private var cache = WordCache()
    private var encoding = Encoding()

    mutating func start(_ options: EncodeOptions, textBytes: Int) {
        self.options = options
        text = AlignedText(isTracking: options.wantsRanges)
        scratch.start(textBytes: textBytes)
        encoding = Encoding()
        encoding.ids.reserveCapacity(textBytes / 3)
    }

    mutating func finish() -> Encoding {
        text = AlignedText(isTracking: false)
        options = EncodeOptions()
        defer { encoding = Encoding() }
        return encoding
    }

    mutating func append(_ ids: [Int32], at position: Int) {
        for id in ids { append(id, position..<position) }
    }

    mutating func append(_ id: Int32, _ range: Range<Int>) {
        encoding.ids.append(id)
        if options.wantsRanges { encoding.ranges.append(range) }
    }

    /// Appends the tokens of a word of `text`.
    mutating func encode(_ word: Range<Int>, _ model: BytePairModel, _ merges: MergeTable.View) {
        // The text is left alone while its bytes are read.
        let bytes = text.bytes
        bytes.withUnsafeBufferPointer { all in
            guard model.options.cutsAtMark else {
                return encodeWhole(all, word, model, merges)
            }
            var start = word.lowerBound
            while start < word.upperBound {
                let end = Self.cut(all, start, word.upperBound)
                encodeWhole(all, start..<end, model, merges)
                start = end
            }
        }
    }

    /// The next place where a mark (U+2581) follows something else.
    @inline(__always)
    private static func cut(
        _ text: UnsafeBufferPointer<UInt8>, _ start: Int, _ end: Int
    ) -> Int {
        var position = start
        while isMark(text, position, end) { position += 3 }
        while position < end, !(text[position] == 0xe2 && isMark(text, position, end)) {
            position += 1
        }
        return position
    }

    @inline(__always)
    private static func isMark(
        _ text: UnsafeBufferPointer<UInt8>, _ position: Int, _ end: Int
    ) -> Bool {
        position + 3 <= end && text[position] == 0xe2 && text[position + 1] == 0x96
            && text[position + 2] == 0x81
    }

    @inline(__always)
    private mutating func encodeWhole(
        _ all: UnsafeBufferPointer<UInt8>, _ range: Range<Int>, _ model: BytePairModel,
        _ merges: MergeTable.View
    ) {
        let word = UnsafeBufferPointer(rebasing: all[range])
        guard word.count <= WordCache.wordBytesMax else {
            model.encode(word, merges, into: &symbols)
            return appendSymbols(at: range.lowerBound)
        }
        let hash = WordHash.hash(word)
        if let tokens = cache.find(word, hash: hash) {
            encoding.ids.append(contentsOf: cache.ids[tokens])
            if options.wantsRanges { appendRanges(tokens, at: range.lowerBound) }
        } else {
            model.encode(word, merges, into: &symbols)
            cache.insert(word, hash: hash, symbols)
            appendSymbols(at: range.lowerBound)
        }
    }

    private mutating func appendSymbols(at start: Int) {
        encoding.ids.append(contentsOf: symbols.ids)
        guard options.wantsRanges else { return }
        var position = start
        for length in symbols.lengths {
            encoding.ranges.append(text.original(position..<(position + Int(length))))
            position += Int(length)
        }
    }

    private mutating func appendRanges(_ tokens: Range<Int>, at start: Int) {
        var position = start
        for length in cache.lengths[tokens] {
            encoding.ranges.append(text.original(position..<(position + Int(length))))
            position += Int(length)
        }
    }
}
