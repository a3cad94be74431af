import Base
import Messages
import Testing

struct RoundTripTests {
    @Test func everyFieldKindIsReadAsGoogleWroteIt() throws {
        let decoded = try Everything(decoding: Goldens.known())
        let known = Everything.known
        #expect(decoded.nested == known.nested)
        #expect(decoded.recursive == known.recursive)
        #expect(decoded.choice == known.choice)
        #expect(decoded.nestedByNumber == known.nestedByNumber)
        #expect(decoded == known)
    }

    @Test func everyFieldKindIsWrittenAsGoogleWouldRead() throws {
        // Google writes both key and value of a map entry, as this does unless they are defaults.
        #expect(try Everything.known.encoded() == Goldens.known())
    }

    @Test func randomMessagesComeBackByteForByte() throws {
        let records = try Goldens.everything()
        #expect(records.count >= 60)
        for (seed, record) in records.enumerated() {
            let decoded = try Everything(decoding: record)
            #expect(try decoded.encoded() == record, "seed \(seed)")
            #expect(try Everything(decoding: decoded.encoded()) == decoded, "seed \(seed)")
        }
    }

    @Test func unknownEnumValuesAreKept() throws {
        var message = Everything()
        message.shade = EchoTest.Shade(rawValue: 4711)
        message.optionalShade = EchoTest.Shade(rawValue: -4711)
        message.choice = .choiceShade(EchoTest.Shade(rawValue: .min))
        message.repeatedShade = [EchoTest.Shade(rawValue: .max), .dark]
        let decoded = try Everything(decoding: message.encoded())
        #expect(decoded == message)
        #expect(decoded.shade.name == nil)
        #expect(decoded.shade.description == "4711")
        #expect(EchoTest.Shade(name: "SHADE_DARK") == .dark)
        #expect(EchoTest.Shade.allKnown.count == 7)
    }

    @Test func unknownFieldsAreDropped() throws {
        let unknown =
            Wire.field(5000, [1, 2, 3]) + Wire.field(5001, varint: 7)
            + Wire.varint(5002 << 3 | 5) + [1, 2, 3, 4]
        let known = try Goldens.known()
        let decoded = try Everything(decoding: Bytes(unknown + Array(known) + unknown))
        #expect(decoded == .known)
        #expect(try decoded.encoded() == known)
    }

    @Test func packedAndUnpackedAreReadAlike() throws {
        let packed = Wire.field(38, [1, 2, 3]) + Wire.field(36, [1, 0])
        let unpacked = [1, 2, 3].flatMap { Wire.field(33, varint: $0) }
        let decoded = try Everything(decoding: Bytes(packed + unpacked))
        #expect(decoded.unpackedInt32 == [1, 2, 3])
        #expect(decoded.repeatedInt32 == [1, 2, 3])
        #expect(decoded.repeatedBool == [true, false])
    }

    @Test func negativeZeroIsKept() throws {
        var message = Everything()
        message.doubleValue = -0.0
        message.floatValue = -0.0
        message.optionalDouble = -0.0
        message.repeatedDouble = [-0.0]
        message.doubleByNumber = [1: -0.0, 2: 0.0]
        let decoded = try Everything(decoding: message.encoded())
        #expect(decoded.doubleValue.sign == .minus)
        #expect(decoded.floatValue.sign == .minus)
        #expect(decoded.optionalDouble?.sign == .minus)
        #expect(decoded.repeatedDouble.first?.sign == .minus)
        #expect(decoded.doubleByNumber[1]?.sign == .minus)
        #expect(decoded.doubleByNumber[2]?.sign == .plus)
    }

    @Test func mapEntriesWithDefaultsAreKept() throws {
        var message = Everything()
        message.labels = ["": "", "a": "", "é": "b"]
        message.nestedByNumber = [0: Everything.Nested()]
        message.shadeByFlag = [false: .unspecified, true: .light]
        message.bytesByName = ["": Bytes()]
        #expect(try Everything(decoding: message.encoded()) == message)
        let entryWithoutAnything = Bytes(Wire.field(72, []))
        #expect(try Everything(decoding: entryWithoutAnything).nestedByNumber == [0: .init()])
    }

    @Test func theLastOfAOneofWinsAndIsNotMerged() throws {
        // Google merges two occurrences of the same message; protobuf-c keeps the second.
        let first = Wire.field(57, Wire.field(1, varint: 5))
        let second = Wire.field(57, Wire.field(2, [0x61]))
        let decoded = try Everything(decoding: Bytes(first + second))
        #expect(decoded.choice == .choiceNested(.with { $0.text = "a" }))
        let mixed = try Everything(decoding: Bytes(first + Wire.field(52, varint: 0)))
        #expect(mixed.choice == .choiceBool(false))
    }

    @Test func messageFieldsAreMerged() throws {
        let first = Wire.field(18, Wire.field(1, varint: 5))
        let second = Wire.field(18, Wire.field(2, [0x61]))
        let decoded = try Everything(decoding: Bytes(first + second))
        #expect(decoded.nested?.number == 5)
        #expect(decoded.nested?.text == "a")
    }

    @Test func anEmptyMessageIsNoBytes() throws {
        #expect(try Everything().encoded().isEmpty)
        #expect(try Everything(decoding: Bytes()) == Everything())
    }

    @Test func encodingInsideEncodingIsSafe() throws {
        let outer = Everything.known
        var inner = Bytes()
        var target: Bytes?
        try outer.encode { (count: Int) throws(WireError) in
            inner = try Everything.known.encoded()
            let base = UnsafeMutableRawPointer.allocate(byteCount: count, alignment: 16)
            target = Bytes(adopting: base, count: count)
            return base
        }
        #expect(target == inner)
    }
}

struct LargeBytesTests {
    private func address(_ bytes: Bytes) -> UInt { bytes.withUnsafeBytes { UInt(bitPattern: $0.baseAddress) } }

    @Test func largeBytesAreSlicesOfTheInput() throws {
        let image = Bytes(count: 100_000) { (target: UnsafeMutableRawBufferPointer) in
            for index in 0..<target.count { target[index] = UInt8(truncatingIfNeeded: index * 7) }
        }
        var message = Everything.known
        message.bytesValue = image
        message.repeatedBytes = [[1], image, Bytes()]
        message.bytesByName = ["image": image, "small": [2]]
        message.choice = .choiceRecursive(.with { $0.optionalBytes = image })
        let encoded = try message.encoded()
        let decoded = try Everything(decoding: encoded)
        #expect(decoded == message)
        let input = address(encoded)..<address(encoded) + UInt(encoded.count)
        #expect(input.contains(address(decoded.bytesValue)))
        #expect(input.contains(address(decoded.repeatedBytes[1])))
        #expect(input.contains(address(decoded.bytesByName["image"] ?? Bytes())))
        #expect(!input.contains(address(decoded.repeatedBytes[0])))
        #expect(!input.contains(address(decoded.bytesByName["small"] ?? Bytes())))
    }

    @Test func smallBytesAreCopies() throws {
        var message = Everything()
        message.bytesValue = Bytes([UInt8](repeating: 7, count: DecodeLimits.largeBytesMin - 1))
        let encoded = try message.encoded()
        let decoded = try Everything(decoding: encoded)
        #expect(decoded == message)
        let input = address(encoded)..<address(encoded) + UInt(encoded.count)
        #expect(!input.contains(address(decoded.bytesValue)))
    }

    @Test func sixtyFourMebibytesPass() throws {
        var message = EchoTest.EchoRequest()
        message.payload = Bytes(count: 64 << 20) { (target: UnsafeMutableRawBufferPointer) in
            target.initializeMemory(as: UInt8.self, repeating: 9)
        }
        let decoded = try EchoTest.EchoRequest(decoding: message.encoded())
        #expect(decoded.payload.count == 64 << 20)
    }
}
