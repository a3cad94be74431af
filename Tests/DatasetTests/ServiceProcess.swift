import Foundation

/// The service as a program of its own.
enum ServiceProcess {
    /// Starts it on `data` and `s.sock` in a folder.
    ///
    /// - Parameter blocksMax: most blocks a file may have, of 512 bytes or 1 KiB by the shell
    static func start(_ folder: String, blocksMax: Int? = nil) throws -> Process {
        let tests = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        let program = URL(fileURLWithPath: tests).deletingLastPathComponent()
            .appendingPathComponent("fovea-dataset")
        let process = Process()
        process.executableURL = program
        process.arguments = [
            "serve", "--listen", "unix:\(folder)/s.sock", "--data", "\(folder)/data", "--metrics",
            "off",
        ]
        if let blocksMax {
            process.executableURL = URL(fileURLWithPath: "/bin/sh")
            let script = "ulimit -f \(blocksMax); exec \"$0\" \"$@\""
            process.arguments = ["-c", script, program.path] + (process.arguments ?? [])
        }
        process.environment = ["XDG_RUNTIME_DIR": folder]
        process.standardError = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        try process.run()
        return process
    }
}
