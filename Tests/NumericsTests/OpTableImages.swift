import Numerics

extension OpTable {
    static let images: [String: Op] = [
        "patches": { $0["x"].patches(size: $0.attribute("size")) },
        "pixelShuffled": { inputs in
            guard let order = PixelShuffleOrder(rawValue: inputs.attribute("order")) else {
                preconditionFailure("no such order")
            }
            return inputs["x"].pixelShuffled(grid: inputs.grid("grid"), order: order)
        },
        "bilinear": {
            $0["x"].resampled(from: $0.grid("source"), to: $0.grid("target"), .bilinear)
        },
        "bicubic": {
            $0["x"].resampled(from: $0.grid("source"), to: $0.grid("target"), .bicubic)
        },
    ]
}

extension OpInputs {
    func grid(_ name: String) -> (rows: Int, columns: Int) {
        let extents = attribute(name, [Int].self)
        return (extents[0], extents[1])
    }
}
