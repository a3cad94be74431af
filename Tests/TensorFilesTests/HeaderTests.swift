import Base
import Testing

@testable import TensorFiles

/// Reading a header, which is a pure function of bytes.
struct HeaderTests {
    @Test func aHeaderGivesNamesTypesShapesAndPlaces() throws {
        let json =
            "{\"__metadata__\":{\"format\":\"pt\"}," + RawFile.entry("b", offsets: "[4,8]") + ","
            + RawFile.entry("a", "F32", shape: "[1]") + "}"
        let header = try TensorFileHeader(RawFile.bytes(json, dataBytes: 8))
        #expect(header.metadata == ["format": "pt"])
        #expect(header.tensors.map(\.name) == ["a", "b"])
        #expect(header.dataStart == 8 + json.utf8.count)
        let expected = StoredTensor(name: "b", type: .uint8, shape: [4], range: 4..<8)
        #expect(header["b"] == expected)
        #expect(header["c"] == nil)
    }

    @Test func whiteSpaceEscapesAndUnknownFieldsAreRead() throws {
        let json = """
            { "\\u0061\\ud83e\\udd8a\\n" : { "extra" : [ {"x": [1.5e3, true, null, ""]} ] ,
            "data_offsets":[ 0 ,\t4 ], "shape" : [ 2, 2 ] , "dtype":"U8" } }  \r\n
            """
        let header = try TensorFileHeader(RawFile.bytes(json, dataBytes: 4))
        #expect(header["a🦊\n"]?.shape == [2, 2])
    }

    @Test func aFileWithoutTensorsIsFine() throws {
        #expect(try TensorFileHeader(RawFile.bytes("{}")).tensors.isEmpty)
        let described = RawFile.bytes("{\"__metadata__\":{}}    ")
        #expect(try TensorFileHeader(described).metadata.isEmpty)
    }

    @Test func emptyTensorsShareAPlace() throws {
        let json =
            "{" + RawFile.entry("x", shape: "[0,9]", offsets: "[4,4]") + ","
            + RawFile.entry("y") + "," + RawFile.entry("z", shape: "[0]", offsets: "[0,0]") + "}"
        let header = try TensorFileHeader(RawFile.bytes(json, dataBytes: 4))
        #expect(header.tensors.map(\.name) == ["z", "y", "x"])
    }

    @Test func aTensorMayBeginAnywhere() throws {
        let json =
            "{" + RawFile.entry("odd", shape: "[1]", offsets: "[0,1]") + ","
            + RawFile.entry("wide", "F64", shape: "[]", offsets: "[1,9]") + "}"
        let header = try TensorFileHeader(RawFile.bytes(json, dataBytes: 9))
        #expect(header["wide"]?.range == 1..<9)
    }

    @Test func manyTensorsAreRead() throws {
        let tensors = (0..<20_000).map { PlannedTensor("layer.\($0)", .uint8, [1]) }
        let header = try TensorFileHeader(RawFile.bytes(of: tensors))
        #expect(header.tensors.count == 20_000)
        #expect(header["layer.777"] != nil)
    }

    @Test func namesAreComparedByteByByte() throws {
        let names = ["\u{e9}", "e\u{301}", "\u{212a}", "K"]
        let tensors = names.map { PlannedTensor($0, .uint8, [1]) }
        let header = try TensorFileHeader(RawFile.bytes(of: tensors))
        #expect(header.tensors.count == 4)
        #expect(names.allSatisfy { name in header[name] != nil })
        let places = names.compactMap { header[$0]?.range.lowerBound }
        #expect(Set(places).count == 4)
    }

    @Test func everyTypeHasANameAndBitsOfItsOwn() {
        #expect(Set(StoredType.allCases.map(\.name)).count == 22)
        for type in StoredType.allCases {
            #expect(StoredType(named: type.name) == type)
            #expect([4, 6, 8, 16, 32, 64].contains(type.bits))
        }
        #expect(StoredType(named: "f32") == nil)
    }

    @Test func packedTypesTakePartsOfBytes() throws {
        #expect(try PlannedTensor("x", .float4, [3, 2]).byteCount() == 3)
        #expect(try PlannedTensor("x", .float6E2M3, [4]).byteCount() == 3)
        #expect(throws: FormatError.partialByte(tensor: "x", bits: 18)) {
            try PlannedTensor("x", .float6E3M2, [3]).byteCount()
        }
    }

    @Test(arguments: HostileHeader.all)
    func aHostileHeaderIsRefused(hostile: HostileHeader) {
        #expect(throws: hostile.error) { try TensorFileHeader(hostile.bytes) }
    }

    @Test(arguments: HostileHeader.all)
    func everyRefusalHasWords(hostile: HostileHeader) {
        let error = hostile.error
        #expect(!error.message.isEmpty && error.message.count < 600)
        #expect(error.kind == .invalidInput)
    }

    @Test func messagesKeepHostileNamesShortAndPlain() {
        let name = "\u{1b}[31m\u{202e}" + String(repeating: "x", count: 5000)
        let message = FormatError.duplicate(name: name).message
        #expect(message.count < 200)
        #expect(message.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x202e })
    }
}

/// Bytes that are no safetensors file, and what is said about them.
struct HostileHeader: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let bytes: [UInt8]
    let error: FormatError

    init(_ name: String, _ bytes: [UInt8], _ error: FormatError) {
        (testDescription, self.bytes, self.error) = (name, bytes, error)
    }

    /// A file whose header is `{ENTRY}`.
    init(_ name: String, entry: String, dataBytes: Int = 4, _ error: FormatError) {
        self.init(name, RawFile.bytes("{\(entry)}", dataBytes: dataBytes), error)
    }

    /// A header that is wrong as JSON.
    init(_ name: String, json: String, at: Int, expected: String) {
        self.init(name, RawFile.bytes(json), .unexpected(at: at, expected: expected))
    }

    static let all = lengths + syntax + structure + numbers + places

    private static let bytesMax = TensorFileHeader.bytesMax

    private static let lengths = [
        HostileHeader("nothing", [], .tooShort(bytes: 0)),
        HostileHeader("seven bytes", [2, 0, 0, 0, 0, 0, 0], .tooShort(bytes: 7)),
        HostileHeader(
            "an empty header", RawFile.bytes(""), .badHeaderLength(bytes: 0, bytesMax: bytesMax)),
        HostileHeader(
            "a header over 100 MB", RawFile.length(100_000_001),
            .badHeaderLength(bytes: 100_000_001, bytesMax: bytesMax)),
        HostileHeader(
            "a header of 2^64 - 1 bytes", RawFile.length(.max),
            .badHeaderLength(bytes: .max, bytesMax: bytesMax)),
        HostileHeader(
            "a header that ends after the file", RawFile.length(3) + Array("{}".utf8),
            .headerBeyondFile(headerBytes: 3, bytesLeft: 2)),
    ]

    private static let syntax = [
        HostileHeader("an array", json: "[]", at: 0, expected: "an object"),
        HostileHeader("space before the object", json: " {}", at: 0, expected: "an object"),
        HostileHeader("an open object", json: "{", at: 1, expected: "a string"),
        HostileHeader("a name without value", json: "{\"a\"}", at: 4, expected: "a colon"),
        HostileHeader("two values", json: "{}{}", at: 2, expected: "nothing after the value"),
        HostileHeader(
            "a zero byte behind", json: "{}\0", at: 2, expected: "nothing after the value"),
        HostileHeader("an open string", json: "{\"a", at: 3, expected: "the end of a string"),
        HostileHeader("an open escape", json: "{\"a\\", at: 4, expected: "the end of a string"),
        HostileHeader(
            "an unknown escape", json: "{\"\\x\"}", at: 4, expected: "an escape that JSON has"),
        HostileHeader(
            "half an escape", json: "{\"\\u12\"}", at: 6, expected: "four hexadecimal digits"),
        HostileHeader(
            "half a pair", json: "{\"\\ud83e\"}", at: 8, expected: "a pair of surrogates"),
        HostileHeader(
            "a pair in the wrong order", json: "{\"\\udd8a\\ud83e\"}", at: 8,
            expected: "a pair of surrogates"),
        HostileHeader(
            "a line end in a string", json: "{\"\n\"}", at: 2,
            expected: "no control character in a string"),
        HostileHeader(
            "not UTF-8", RawFile.bytes([0x7b, 0x22, 0xff, 0x22, 0x7d]), .notUTF8(at: 2)),
        HostileHeader(
            "a surrogate in UTF-8", RawFile.bytes([0x7b, 0x22, 0xed, 0xa0, 0x80, 0x22, 0x7d]),
            .notUTF8(at: 2)),
        HostileHeader(
            "a million arrays",
            RawFile.bytes("{\"a\":{\"b\":" + String(repeating: "[", count: 1_000_000)),
            .tooDeep(at: 40, depthMax: 32)),
        HostileHeader(
            "a word that is none", json: "{\"a\":{\"b\":trve}}", at: 12, expected: "true"),
        HostileHeader(
            "a comma at the end", json: "{\"__metadata__\":{},}", at: 19, expected: "a string"),
    ]

    private static let structure = [
        HostileHeader(
            "a name twice", entry: RawFile.entry("a") + "," + RawFile.entry("a", offsets: "[4,8]"),
            dataBytes: 8, .duplicate(name: "a")),
        HostileHeader(
            "a name twice, once escaped",
            entry: RawFile.entry("a") + "," + RawFile.entry("\\u0061", offsets: "[4,8]"),
            dataBytes: 8, .duplicate(name: "a")),
        HostileHeader(
            "a type twice", entry: "\"a\":{\"dtype\":\"U8\",\"dtype\":\"U8\"}",
            .duplicate(name: "dtype of a")),
        HostileHeader(
            "a shape twice", entry: "\"a\":{\"shape\":[],\"shape\":[]}",
            .duplicate(name: "shape of a")),
        HostileHeader(
            "offsets twice", entry: "\"a\":{\"data_offsets\":[0,1],\"data_offsets\":[0,1]}",
            .duplicate(name: "data_offsets of a")),
        HostileHeader(
            "metadata twice", entry: "\"__metadata__\":{},\"__metadata__\":{}",
            .duplicate(name: "__metadata__")),
        HostileHeader(
            "a metadata name twice", entry: "\"__metadata__\":{\"k\":\"\",\"k\":\"\"}",
            .duplicate(name: "k")),
        HostileHeader(
            "a name of 1025 bytes", entry: RawFile.entry(String(repeating: "n", count: 1025)),
            .nameTooLong(bytes: 1025, bytesMax: 1024)),
        HostileHeader(
            "4097 entries of metadata",
            entry: "\"__metadata__\":{"
                + (0...4096).map { "\"\($0)\":\"\"" }.joined(separator: ",") + "}",
            .tooMany(what: "metadata", countMax: 4096)),
        HostileHeader(
            "metadata that is no text", json: "{\"__metadata__\":{\"k\":1}}", at: 21,
            expected: "a string"),
        HostileHeader(
            "metadata that is no object", json: "{\"__metadata__\":null}", at: 16,
            expected: "an object"),
        HostileHeader("a tensor that is a number", json: "{\"a\":1}", at: 5, expected: "an object"),
        HostileHeader(
            "no type", entry: "\"a\":{\"shape\":[4],\"data_offsets\":[0,4]}",
            .missing(field: "dtype", of: "a")),
        HostileHeader(
            "no shape", entry: "\"a\":{\"dtype\":\"U8\",\"data_offsets\":[0,4]}",
            .missing(field: "shape", of: "a")),
        HostileHeader(
            "no offsets", entry: "\"a\":{\"dtype\":\"U8\",\"shape\":[4]}",
            .missing(field: "data_offsets of two numbers", of: "a")),
        HostileHeader(
            "one offset", entry: RawFile.entry("a", offsets: "[0]"),
            .missing(field: "data_offsets of two numbers", of: "a")),
        HostileHeader(
            "three offsets", entry: RawFile.entry("a", offsets: "[0,4,4]"),
            .tooMany(what: "numbers in data_offsets of 'a'", countMax: 2)),
        HostileHeader(
            "65 axes",
            entry: RawFile.entry("a", shape: "[" + String(repeating: "1,", count: 64) + "1]"),
            .tooMany(what: "numbers in shape of 'a'", countMax: 64)),
        HostileHeader(
            "an unknown type", entry: RawFile.entry("a", "F33"),
            .unknownType(tensor: "a", type: "F33")),
    ]

    private static func badNumber(_ text: String, in field: String) -> HostileHeader {
        let entry =
            field == "shape"
            ? RawFile.entry("a", shape: "[\(text)]") : RawFile.entry("a", offsets: "[\(text),4]")
        let error = FormatError.notACount(
            tensor: "a", field: field, seen: String(text.prefix(40)))
        return HostileHeader("\(text.prefix(30)) in \(field)", entry: entry, error)
    }

    private static let numbers =
        [
            "-1", "-0", "1.5", "4.0", "4e0", "1E2", "9223372036854775808",
            String(repeating: "9", count: 99),
        ]
        .flatMap { [badNumber($0, in: "shape"), badNumber($0, in: "data_offsets")] } + [
            HostileHeader(
                "a leading zero", json: "{\"a\":{\"shape\":[04]}}", at: 17,
                expected: "a number without leading zeros"),
            HostileHeader(
                "a number without digits", json: "{\"a\":{\"shape\":[-]}}", at: 16,
                expected: "a number"),
            HostileHeader(
                "a text as number", json: "{\"a\":{\"shape\":[\"4\"]}}", at: 15,
                expected: "a number"),
            HostileHeader(
                "a shape whose product overflows",
                entry: RawFile.entry("a", shape: "[4294967296,4294967296]"),
                .tooLarge(tensor: "a", shape: [4_294_967_296, 4_294_967_296])),
            HostileHeader(
                "an overflow before an empty axis",
                entry: RawFile.entry("a", shape: "[4294967296,4294967296,0]"),
                .tooLarge(tensor: "a", shape: [4_294_967_296, 4_294_967_296, 0])),
            HostileHeader(
                "elements whose bits overflow",
                entry: RawFile.entry("a", "F64", shape: "[1152921504606846976]"),
                .tooLarge(tensor: "a", shape: [1_152_921_504_606_846_976])),
            HostileHeader(
                "half a byte",
                entry: RawFile.entry("a", "F4", shape: "[3]", offsets: "[0,2]"),
                .partialByte(tensor: "a", bits: 12)),
        ]

    private static let places = [
        HostileHeader(
            "the end before the beginning", entry: RawFile.entry("a", offsets: "[4,0]"),
            .reversedOffsets(tensor: "a", begin: 4, end: 0)),
        HostileHeader(
            "too few bytes for the shape", entry: RawFile.entry("a", shape: "[5]"),
            .wrongByteCount(tensor: "a", bytes: 4, expected: 5)),
        HostileHeader(
            "too many bytes for the shape", entry: RawFile.entry("a", shape: "[0]"),
            .wrongByteCount(tensor: "a", bytes: 4, expected: 0)),
        HostileHeader(
            "an end after the file", entry: RawFile.entry("a"), dataBytes: 3,
            .offsetsBeyondFile(tensor: "a", end: 4, bytesMax: 3)),
        HostileHeader(
            "a place far away",
            entry: RawFile.entry(
                "a", offsets: "[9223372036854775803,9223372036854775807]"),
            .offsetsBeyondFile(tensor: "a", end: .max, bytesMax: 4)),
        HostileHeader(
            "two tensors in one place", entry: RawFile.entry("a") + "," + RawFile.entry("b"),
            .overlap(tensor: "b", begin: 0, previousEnd: 4)),
        HostileHeader(
            "tensors that overlap",
            entry: RawFile.entry("b", offsets: "[3,7]") + "," + RawFile.entry("a"), dataBytes: 7,
            .overlap(tensor: "b", begin: 3, previousEnd: 4)),
        HostileHeader(
            "an empty tensor inside another",
            entry: RawFile.entry("a") + "," + RawFile.entry("b", shape: "[0]", offsets: "[2,2]"),
            .overlap(tensor: "b", begin: 2, previousEnd: 4)),
        HostileHeader(
            "a hole at the start", entry: RawFile.entry("a", offsets: "[1,5]"), dataBytes: 5,
            .hole(tensor: "a", begin: 1, previousEnd: 0)),
        HostileHeader(
            "a hole in the middle",
            entry: RawFile.entry("a") + "," + RawFile.entry("b", offsets: "[5,9]"), dataBytes: 9,
            .hole(tensor: "b", begin: 5, previousEnd: 4)),
        HostileHeader(
            "bytes at the end", entry: RawFile.entry("a"), dataBytes: 6,
            .trailingBytes(count: 2)),
        HostileHeader(
            "bytes of no tensor", RawFile.bytes("{}", dataBytes: 1), .trailingBytes(count: 1)),
    ]
}
