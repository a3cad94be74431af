/// What a safetensors file says about itself: eight bytes of length, then JSON.
///
/// Reading is a pure function of the file's bytes and touches only those of the header. The memory
/// it takes is bounded by the header's length, whatever numbers stand in it.
package struct TensorFileHeader: Sendable, Hashable {
    /// The longest header that is read or written, the limit of the reference library.
    package static let bytesMax = 100_000_000
    /// The most tensors that a file may have.
    package static let tensorsMax = 1 << 20
    /// The most entries that metadata may have.
    package static let metadataMax = 4096
    /// The most axes that a tensor may have.
    package static let axesMax = 64

    static let lengthBytes = 8
    static let metadataName: ExactName = "__metadata__"

    /// Free text by name; empty where the file has none. Names that differ only in how Unicode
    /// composes their letters are refused, because a dictionary of strings cannot tell them apart.
    package let metadata: [String: String]
    /// In the order of their bytes.
    package let tensors: [StoredTensor]
    /// Where the bytes of the tensors begin in the file.
    package let dataStart: Int

    private let positions: [ExactName: Int]

    /// Reads the header and checks it against the length of the file.
    ///
    /// - Parameter file: the whole file
    package init(readingFile file: UnsafeRawBufferPointer) throws(FormatError) {
        let json = try TensorFileHeader.json(of: file)
        dataStart = TensorFileHeader.lengthBytes + json.count
        // The format demands it, although JSON would allow white space.
        guard json.first == UInt8(ascii: "{") else {
            throw .unexpected(at: 0, expected: "an object")
        }
        var contents = Contents()
        var reader = JSONReader(json)
        try contents.read(&reader)
        metadata = contents.metadata ?? [:]
        (tensors, positions) = try contents.inOrder()
        try TensorFileHeader.check(tensors, against: file.count - dataStart)
    }

    /// The entry of that name, byte for byte; nil if there is none.
    package subscript(name: String) -> StoredTensor? {
        positions[ExactName(name)].map { tensors[$0] }
    }

    /// The JSON of a file.
    private static func json(
        of file: UnsafeRawBufferPointer
    ) throws(FormatError) -> UnsafeRawBufferPointer {
        guard file.count >= lengthBytes else { throw .tooShort(bytes: file.count) }
        let length = UInt64(littleEndian: file.loadUnaligned(as: UInt64.self))
        guard length > 0, length <= UInt64(bytesMax) else {
            throw .badHeaderLength(bytes: length, bytesMax: bytesMax)
        }
        let (count, bytesLeft) = (Int(length), file.count - lengthBytes)
        guard count <= bytesLeft else {
            throw .headerBeyondFile(headerBytes: count, bytesLeft: bytesLeft)
        }
        return UnsafeRawBufferPointer(rebasing: file[lengthBytes..<lengthBytes + count])
    }

    /// Every byte after the header belongs to exactly one tensor.
    private static func check(
        _ tensors: [StoredTensor], against bytes: Int
    ) throws(FormatError) {
        var end = 0
        for tensor in tensors {
            let range = tensor.range
            guard range.upperBound <= bytes else {
                throw .offsetsBeyondFile(
                    tensor: tensor.name, end: range.upperBound, bytesMax: bytes)
            }
            guard range.lowerBound >= end else {
                throw .overlap(tensor: tensor.name, begin: range.lowerBound, previousEnd: end)
            }
            guard range.lowerBound == end else {
                throw .hole(tensor: tensor.name, begin: range.lowerBound, previousEnd: end)
            }
            end = range.upperBound
        }
        guard end == bytes else { throw .trailingBytes(count: bytes - end) }
    }
}

/// The members of a header as they are read.
private struct Contents {
    var metadata: [String: String]?
    var tensors: [StoredTensor] = []

    mutating func read(_ reader: inout JSONReader) throws(FormatError) {
        // A closure may not capture `self` while it changes.
        var contents = self
        try reader.object { (reader, name) throws(FormatError) in
            if name == TensorFileHeader.metadataName {
                guard contents.metadata == nil else { throw .duplicate(name: name.text) }
                contents.metadata = try Contents.metadata(&reader)
            } else {
                guard contents.tensors.count < TensorFileHeader.tensorsMax else {
                    throw .tooMany(what: "tensors", countMax: TensorFileHeader.tensorsMax)
                }
                var fields = TensorFields(of: name.text)
                try fields.read(&reader)
                contents.tensors.append(try fields.tensor())
            }
        }
        try reader.end()
        self = contents
    }

    /// The tensors in the order of their bytes, and where each name is among them.
    func inOrder() throws(FormatError) -> ([StoredTensor], [ExactName: Int]) {
        let sorted = tensors.sorted { a, b in
            (a.range.lowerBound, a.range.upperBound) < (b.range.lowerBound, b.range.upperBound)
        }
        var positions: [ExactName: Int] = [:]
        positions.reserveCapacity(sorted.count)
        for (position, tensor) in sorted.enumerated() {
            guard positions.updateValue(position, forKey: ExactName(tensor.name)) == nil else {
                throw .duplicate(name: tensor.name)
            }
        }
        return (sorted, positions)
    }

    private static func metadata(
        _ reader: inout JSONReader
    ) throws(FormatError) -> [String: String] {
        var metadata: [String: String] = [:]
        try reader.object { (reader, name) throws(FormatError) in
            guard metadata.count < TensorFileHeader.metadataMax else {
                throw .tooMany(what: "metadata", countMax: TensorFileHeader.metadataMax)
            }
            guard metadata.updateValue(try reader.string(), forKey: name.text) == nil else {
                throw .duplicate(name: name.text)
            }
        }
        return metadata
    }
}

/// The members of one tensor's object as they are read. Unknown ones are skipped, as the reference
/// library does.
private struct TensorFields {
    private let name: String
    private var type: StoredType?
    private var shape: [Int]?
    private var offsets: [Int]?

    init(of tensor: String) { name = tensor }

    mutating func read(_ reader: inout JSONReader) throws(FormatError) {
        // A closure may not capture `self` while it changes.
        var fields = self
        try reader.object { (reader, field) throws(FormatError) in
            switch field {
            case "dtype":
                guard fields.type == nil else { throw fields.duplicate(field.text) }
                fields.type = try fields.readType(&reader)
            case "shape":
                guard fields.shape == nil else { throw fields.duplicate(field.text) }
                let countMax = TensorFileHeader.axesMax
                fields.shape = try fields.readCounts(&reader, in: field.text, countMax: countMax)
            case "data_offsets":
                guard fields.offsets == nil else { throw fields.duplicate(field.text) }
                fields.offsets = try fields.readCounts(&reader, in: field.text, countMax: 2)
            default: try reader.skip()
            }
        }
        self = fields
    }

    /// The tensor, if each field is there and they agree.
    func tensor() throws(FormatError) -> StoredTensor {
        guard let type else { throw .missing(field: "dtype", of: name) }
        guard let shape else { throw .missing(field: "shape", of: name) }
        guard let offsets, offsets.count == 2 else {
            throw .missing(field: "data_offsets of two numbers", of: name)
        }
        let (begin, end) = (offsets[0], offsets[1])
        guard begin <= end else { throw .reversedOffsets(tensor: name, begin: begin, end: end) }
        let byteCount = try PlannedTensor(name, type, shape).byteCount()
        guard end - begin == byteCount else {
            throw .wrongByteCount(tensor: name, bytes: end - begin, expected: byteCount)
        }
        return StoredTensor(name: name, type: type, shape: shape, range: begin..<end)
    }

    private func duplicate(_ field: String) -> FormatError {
        .duplicate(name: "\(field) of \(name)")
    }

    private func readType(_ reader: inout JSONReader) throws(FormatError) -> StoredType {
        let text = try reader.string()
        guard let type = StoredType(named: text) else {
            throw .unknownType(tensor: name, type: text)
        }
        return type
    }

    private func readCounts(
        _ reader: inout JSONReader, in field: String, countMax: Int
    ) throws(FormatError) -> [Int] {
        var counts: [Int] = []
        try reader.array { (reader) throws(FormatError) in
            guard counts.count < countMax else {
                throw .tooMany(what: "numbers in \(field) of \(shown(name))", countMax: countMax)
            }
            let number = try reader.number()
            guard let count = number.count else {
                throw .notACount(tensor: name, field: field, seen: reader.spelling(number))
            }
            counts.append(count)
        }
        return counts
    }
}
