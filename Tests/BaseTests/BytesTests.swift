import Base
import Testing

@Suite struct BytesTests {
    @Test func aSliceShowsItsRange() {
        let bytes: Bytes = [0, 1, 2, 3, 4]
        #expect(Array(bytes.slice(1..<4)) == [1, 2, 3])
        #expect(bytes.slice(2..<2).isEmpty)
        #expect(bytes.slice(1..<4).slice(1..<2) == [2])
    }

    @Test func textIsValidatedUTF8() {
        #expect(Bytes("grün").text == "grün")
        #expect(Bytes([0xff]).text == nil)
    }

    @Test func equalBytesAreEqualWhereverTheyLie() {
        let whole: Bytes = [7, 8, 7, 8]
        #expect(whole.slice(0..<2) == whole.slice(2..<4))
        #expect(whole.slice(0..<2).hashValue == whole.slice(2..<4).detached().hashValue)
    }
}
