import Base
import Foundation
import Glibc

/// Changes of names in a folder that are on the disk when they return.
enum SyncedFolder {
    /// Makes a folder; what is there already is an error.
    static func make(_ path: String) throws(SystemError) {
        guard mkdir(path, 0o777) == 0 else { throw .last }
    }

    /// Gives something in a folder another name, in place of a file or link of that name.
    static func rename(_ name: String, to other: String, in folder: String) throws(SystemError) {
        guard Glibc.rename("\(folder)/\(name)", "\(folder)/\(other)") == 0 else { throw .last }
        try sync(folder)
    }

    /// Lets a link in a folder lead to something beside it, whatever it led to before.
    static func link(_ name: String, to target: String, in folder: String) throws(SystemError) {
        let temporary = ".\(name).partial"
        unlink("\(folder)/\(temporary)")
        guard symlink(target, "\(folder)/\(temporary)") == 0 else { throw .last }
        try rename(temporary, to: name, in: folder)
    }

    /// Where a link leads; nil where there is none.
    static func target(of name: String, in folder: String) -> String? {
        try? FileManager.default.destinationOfSymbolicLink(atPath: "\(folder)/\(name)")
    }

    /// Waits until the names in a folder are on the disk.
    static func sync(_ path: String) throws(SystemError) {
        let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .last }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw .last }
    }

    /// The names in a folder, sorted; empty where it cannot be read.
    static func names(in path: String) -> [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).sorted()
    }

    /// Removes a folder and all in it, as far as possible.
    static func remove(_ path: String) { try? FileManager.default.removeItem(atPath: path) }
}
