import Foundation
import Quality
import Testing
import Text

@Suite struct ImageGoldenTests {
    @Test func measuresEqualThoseOfPillowAndSciPy() throws {
        for golden in try GoldenFile.read("measures").elements {
            let text = try golden.needed("rgb").string ?? ""
            let decoded = Foundation.Data(base64Encoded: text)
            let rgb = Array(try #require(decoded))
            let (width, height) = (golden["width"]?.int ?? 0, golden["height"]?.int ?? 0)
            let built = GreyImage(width: width, height: height, rgb: rgb)
            let image = try #require(built)
            #expect(image.pixels == (try grey(golden["grey"], width: 40, height: 31)).pixels)
            let found = ImageMeasures(image, rgb: rgb)
            let expected = try golden.needed("measures")
            #expect(isClose(found.brightness, expected["mean"]?.double))
            #expect(isClose(found.contrast, expected["deviation"]?.double))
            #expect(isClose(found.sharpness, expected["laplacian"]?.double))
            #expect(isClose(found.entropy, expected["entropy"]?.double))
            #expect(isClose(found.darkest, expected["darkest"]?.double))
            #expect(isClose(found.lightest, expected["lightest"]?.double))
        }
    }

    @Test func averagesEqualThoseOfNumPyUpToRounding() throws {
        for golden in try GoldenFile.read("measures").elements {
            let image = try grey(golden["grey"], width: 40, height: 31)
            let expected = try grey(golden["reduced"], width: 13, height: 17)
            let found = image.averaged(width: 13, height: 17)
            for (a, b) in zip(found.pixels, expected.pixels) { #expect(abs(Int(a) - Int(b)) <= 1) }
        }
    }
}
