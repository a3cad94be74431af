import Base
import Messages
import Testing

struct HostileInputTests {
    private func error(decoding bytes: [UInt8]) -> WireError? {
        do {
            _ = try Everything(decoding: Bytes(bytes))
            return nil
        } catch {
            return error
        }
    }

    private func isMalformed(_ bytes: [UInt8], because part: String) -> Bool {
        guard case .malformed(_, let why)? = error(decoding: bytes) else { return false }
        return why.contains(part)
    }

    /// A message inside a message, `levels` deep, the outermost counted.
    private func nested(_ levels: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        for _ in 1..<levels { bytes = Wire.field(19, bytes) }
        return bytes
    }

    @Test func nestingIsLimited() {
        let tooDeep = WireError.tooDeep(message: Everything.messageName, depthMax: 64)
        #expect(error(decoding: nested(64)) == nil)
        #expect(error(decoding: nested(65)) == tooDeep)
        #expect(error(decoding: nested(10_000)) == tooDeep)
    }

    @Test func encodingDeeperThanMayBeReadIsAnError() throws {
        var message = Everything()
        for _ in 1..<64 { message = .with { [message] in $0.recursive = message } }
        _ = try Everything(decoding: message.encoded())
        let deeper = Everything.with { $0.recursive = message }
        #expect(throws: WireError.tooDeep(message: Everything.messageName, depthMax: 64)) {
            try deeper.encoded()
        }
    }

    @Test func aNULInAStringIsRefusedBothWays() {
        #expect(isMalformed(Wire.field(14, [0x61, 0, 0x62]), because: "NUL"))
        #expect(isMalformed(Wire.field(14, Array("12345678\0".utf8)), because: "NUL"))
        #expect(isMalformed(Wire.field(14, Array("1234\u{0}678".utf8)), because: "NUL"))
        #expect(throws: WireError.self) {
            try Everything.with { $0.stringValue = "a\0b" }.encoded()
        }
        #expect(throws: WireError.self) { try Everything.with { $0.labels = ["\0": ""] }.encoded() }
        #expect(throws: WireError.self) {
            try Everything.with { $0.repeatedString = ["", "x\0"] }.encoded()
        }
    }

    @Test(arguments: [
        [0x80], [0xc0, 0xaf], [0xc1, 0xbf], [0xc2], [0xe0, 0x9f, 0xbf], [0xed, 0xa0, 0x80],
        [0xe2, 0x82], [0xf0, 0x8f, 0xbf, 0xbf], [0xf4, 0x90, 0x80, 0x80], [0xf5, 0x80, 0x80, 0x80],
        [0xff], [0x61, 0xe9, 0x61], [0xf0, 0x9f, 0xa6],
    ])
    func textThatIsNotUTF8IsRefused(bytes: [UInt8]) {
        #expect(isMalformed(Wire.field(14, bytes), because: "UTF-8"))
        #expect(isMalformed(Wire.field(40, Array("12345678".utf8) + bytes), because: "UTF-8"))
        #expect(isMalformed(Wire.field(71, Wire.field(1, bytes)), because: "UTF-8"))
        #expect(isMalformed(Wire.field(54, bytes), because: "UTF-8"))
    }

    @Test func allOfUTF8IsAccepted() throws {
        for scalar in ["\u{1}", "\u{7f}", "\u{80}", "\u{7ff}", "\u{800}", "\u{d7ff}", "\u{e000}"] {
            let text = "1234567" + scalar + "\u{ffff}\u{10000}\u{10ffff}"
            let message = Everything.with { $0.stringValue = text }
            #expect(try Everything(decoding: message.encoded()).stringValue == text)
        }
    }

    @Test func groupsAndBadTagsAreRefused() {
        #expect(isMalformed(Wire.varint(200 << 3 | 3) + Wire.varint(200 << 3 | 4), because: "group"))
        #expect(isMalformed([0], because: "field number"))
        #expect(isMalformed([0x07], because: "field number"))
        #expect(isMalformed([0x0e], because: "wire type"))
        #expect(isMalformed([UInt8](repeating: 0xff, count: 20), because: "10 bytes"))
        #expect(isMalformed(Wire.varint(1 << 40), because: "field number"))
        #expect(isMalformed(Wire.field(3, [1]), because: "form"))
    }

    @Test func aLengthBeyondTheEndIsRefused() {
        #expect(isMalformed(Wire.varint(14 << 3 | 2) + Wire.varint(.max), because: "ends"))
        #expect(isMalformed(Wire.varint(15 << 3 | 2) + Wire.varint(5) + [1], because: "ends"))
        #expect(isMalformed(Wire.varint(1 << 3 | 1) + [1, 2, 3], because: "ends"))
    }

    @Test func truncatedMessagesAreRefusedOrShorter() throws {
        let whole = try Array(Goldens.known())
        for count in 0..<whole.count {
            guard let message = try? Everything(decoding: Bytes(whole[..<count])) else { continue }
            #expect(try message.encoded().count <= count + 8)
        }
    }

    @Test func manyEmptyMessagesExceedTheBudget() {
        let inputBytes = 4 << 20
        let bytes = [UInt8](repeating: 0, count: inputBytes).enumerated().map { index, _ in
            [0xd2, 0x02, 0x00][index % 3] as UInt8
        }
        let expected = WireError.overBudget(
            message: Everything.messageName, budgetBytes: 8 * (inputBytes / 3 * 3) + (1 << 20))
        #expect(error(decoding: Array(bytes[..<(inputBytes / 3 * 3)])) == expected)
    }

    @Test func packedNumbersStayWithinTheBudget() throws {
        let numbers = [UInt8](repeating: 1, count: 4 << 20)
        let decoded = try Everything(decoding: Bytes(Wire.field(44, numbers)))
        #expect(decoded.repeatedUint64.count == 4 << 20)
    }
}
