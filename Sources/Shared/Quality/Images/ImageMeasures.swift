import Foundation
package import Images

/// What can be odd about an image by its own pixels.
package enum ImageOddity: String, Sendable, CaseIterable {
    case dark
    case light
    case blurry
    case lowInformation = "low_information"
    case oddSize = "odd_size"
    case oddAspect = "odd_aspect"
    case greyscale
}

/// Numbers measured on one image.
package struct ImageMeasures: Sendable, Hashable {
    /// Size of the image itself, in pixels.
    package let width: Int
    package let height: Int
    /// Mean of the grey image, 0 to 1.
    package let brightness: Double
    /// Grey value that 5 % of the pixels do not exceed, 0 to 1.
    package let darkest: Double
    /// Grey value that 95 % of the pixels do not exceed, 0 to 1.
    package let lightest: Double
    /// Standard deviation of the grey image, 0 to 0.5.
    package let contrast: Double
    /// Variance of the Laplacian of the grey image, in levels of 255 squared.
    package let sharpness: Double
    /// Shannon entropy of the grey levels, 0 to 8 bits.
    package let entropy: Double
    /// Mean difference of the largest and the smallest channel, 0 to 1; nil if not measured.
    package let chroma: Double?

    /// Longer side on which sharpness has a meaning that does not depend on the camera.
    package static let sidePixels = 512

    /// Measures an image, after it is made small enough.
    ///
    /// - Parameters:
    ///   - grey: the image without colours
    ///   - rgb: its colours, `[height × width × 3]`, at any scale; nil for a grey file
    package init(_ grey: GreyImage, rgb: [UInt8]? = nil) {
        self.init(
            grey.limited(to: Self.sidePixels), rgb: rgb, width: grey.width, height: grey.height)
    }

    /// Measures an image that may have been made smaller already, though not below `sidePixels`
    /// unless it had no more.
    ///
    /// - Parameters:
    ///   - width: columns of the image itself
    ///   - height: its rows
    package init(_ image: RGBImage, width: Int, height: Int) throws(ImageError) {
        let longer = max(image.width, image.height)
        let small =
            longer <= Self.sidePixels
            ? image
            : try image.resized(
                width: max(1, image.width * Self.sidePixels / longer),
                height: max(1, image.height * Self.sidePixels / longer), .box)
        self.init(GreyImage(small), rgb: small.pixels, width: width, height: height)
    }

    /// Numbers measured before, in the order of `numbers`; nil if there are not seven.
    package init?(width: Int, height: Int, numbers: [Double]) {
        guard numbers.count == 7 else { return nil }
        (self.width, self.height) = (width, height)
        (brightness, darkest, lightest) = (numbers[0], numbers[1], numbers[2])
        (contrast, sharpness, entropy) = (numbers[3], numbers[4], numbers[5])
        chroma = numbers[6].isNaN ? nil : numbers[6]
    }

    /// Brightness, darkest, lightest, contrast, sharpness, entropy, chroma (NaN: not measured).
    package var numbers: [Double] {
        [brightness, darkest, lightest, contrast, sharpness, entropy, chroma ?? .nan]
    }

    private init(_ small: GreyImage, rgb: [UInt8]?, width: Int, height: Int) {
        (self.width, self.height) = (width, height)
        let histogram = small.pixels.reduce(into: [Int](repeating: 0, count: 256)) {
            $0[Int($1)] += 1
        }
        let count = Double(small.pixels.count)
        let mean = histogram.indices.reduce(0) { $0 + Double($1 * histogram[$1]) } / count
        let squares = histogram.indices.reduce(0) { sum, level in
            sum + (Double(level) - mean) * (Double(level) - mean) * Double(histogram[level])
        }
        brightness = mean / 255
        contrast = (squares / count).squareRoot() / 255
        darkest = Double(Self.level(histogram, below: 0.05 * count)) / 255
        lightest = Double(Self.level(histogram, below: 0.95 * count)) / 255
        entropy = histogram.reduce(0) { sum, found in
            found == 0 ? sum : sum - Double(found) / count * log2(Double(found) / count)
        }
        sharpness = Self.laplacianVariance(small)
        chroma = rgb.map(Self.meanChroma)
    }

    /// Width divided by height.
    package var aspect: Double { Double(width) / Double(height) }

    /// The smallest level that at least `wanted` pixels do not exceed.
    private static func level(_ histogram: [Int], below wanted: Double) -> Int {
        var sum = 0
        for (level, found) in histogram.enumerated() {
            sum += found
            if Double(sum) >= wanted { return level }
        }
        return 255
    }

    /// Each pixel's four neighbours minus four times itself, edges mirrored.
    private static func laplacianVariance(_ image: GreyImage) -> Double {
        let (width, height) = (image.width, image.height)
        let pixels = image.pixels
        var (sum, squares) = (0, 0)
        for row in 0..<height {
            let here = row * width
            let above = (row > 0 ? row - 1 : min(1, height - 1)) * width
            let below = (row + 1 < height ? row + 1 : max(0, height - 2)) * width
            for column in 0..<width {
                let left = column > 0 ? column - 1 : min(1, width - 1)
                let right = column + 1 < width ? column + 1 : max(0, width - 2)
                let sides = Int(pixels[here + left]) + Int(pixels[here + right])
                let ends = Int(pixels[above + column]) + Int(pixels[below + column])
                let value = sides + ends - 4 * Int(pixels[here + column])
                sum += value
                squares += value * value
            }
        }
        let count = Double(width * height)
        let mean = Double(sum) / count
        return Double(squares) / count - mean * mean
    }

    private static func meanChroma(_ rgb: [UInt8]) -> Double {
        guard rgb.count >= 3 else { return 0 }
        var sum = 0
        for pixel in 0..<rgb.count / 3 {
            let (red, green, blue) = (rgb[3 * pixel], rgb[3 * pixel + 1], rgb[3 * pixel + 2])
            sum += Int(max(red, green, blue)) - Int(min(red, green, blue))
        }
        return Double(sum) / Double(rgb.count / 3) / 255
    }
}

/// An image that is odd in one way.
package struct ImageFinding: Sendable, Hashable {
    package let oddity: ImageOddity
    /// 0 (certainly odd) to 1 (fine).
    package let score: Double
    /// The number measured.
    package let observed: Double
    /// The limit it was held against.
    package let threshold: Double
}

/// Limits from which on an image is odd, with the reason of each.
package struct ImageThresholds: Sendable, Hashable {
    /// Dark if 95 % of the pixels lie below: then even the light parts are nearly black.
    package var dark = 0.2
    /// Light if 95 % of the pixels lie above: a page with any writing has darker pixels.
    package var light = 0.9
    /// Blurry if the variance of the Laplacian at 512 pixels is lower. Of 17 photographs and
    /// scans all but one (a cell out of focus, 3.0) have 24 or more; blurred by a Gaussian of
    /// 3 pixels all have 5.6 or less.
    package var blurry = 10.0
    /// Little information if the grey levels hold fewer bits; photographs hold 5 to 8, a page
    /// with few words 1 to 3, an even surface below 1.
    package var lowInformation = 1.5
    /// Odd size if the root of the area is this many times larger or smaller than the median.
    package var oddSize = 4.0
    /// Odd aspect if the shorter side is less than this share of the longer one: models scale
    /// such images to strips.
    package var oddAspect = 0.2
    /// Grey if channels differ by less on average, while most images of the dataset have colour.
    package var greyscale = 0.01

    package init() {}

    /// Sets a limit by the name of its oddity; false if there is none of this name.
    package mutating func set(_ name: String, to value: Double) -> Bool {
        switch ImageOddity(rawValue: name) {
        case .dark: dark = value
        case .light: light = value
        case .blurry: blurry = value
        case .lowInformation: lowInformation = value
        case .oddSize: oddSize = value
        case .oddAspect: oddAspect = value
        case .greyscale: greyscale = value
        case nil: return false
        }
        return true
    }

    /// What is odd about an image among others.
    ///
    /// - Parameters:
    ///   - medianSide: median over the dataset of the root of width times height
    ///   - colouredShare: share of the images that have colour; above one half a grey one is odd
    package func findings(
        _ image: ImageMeasures, medianSide: Double, colouredShare: Double
    ) -> [ImageFinding] {
        var found: [ImageFinding] = []
        func below(_ oddity: ImageOddity, _ observed: Double, _ threshold: Double) {
            guard observed < threshold, threshold > 0 else { return }
            let score = max(0, min(1, observed / threshold))
            found.append(
                ImageFinding(
                    oddity: oddity, score: score, observed: observed, threshold: threshold))
        }
        below(.dark, image.lightest, dark)
        if image.darkest > light {
            let score = light < 1 ? (1 - image.darkest) / (1 - light) : 0
            found.append(
                ImageFinding(
                    oddity: .light, score: max(0, score), observed: image.darkest,
                    threshold: light))
        }
        below(.blurry, image.sharpness, blurry)
        below(.lowInformation, image.entropy, lowInformation)
        below(.oddAspect, min(image.aspect, 1 / image.aspect), oddAspect)
        let side = (Double(image.width) * Double(image.height)).squareRoot()
        let ratio = max(side / max(medianSide, 1), medianSide / side)
        if ratio > oddSize {
            found.append(
                ImageFinding(
                    oddity: .oddSize, score: oddSize / ratio, observed: ratio, threshold: oddSize))
        }
        if let chroma = image.chroma, colouredShare > 0.5 { below(.greyscale, chroma, greyscale) }
        return found
    }
}
