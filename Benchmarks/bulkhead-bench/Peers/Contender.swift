// SPDX-License-Identifier: Apache-2.0

/// A firewall under measurement, described by three commands, so that ours is one more row of the same table.
protocol Contender: AnyObject {
    var name: String { get }

    /// Puts the full rule set in force in the router. Afterwards flows of the client to the server's open ports pass.
    func load() throws

    /// Changes one rule of the loaded set.
    func changeOne() throws

    /// Leaves the router as if nothing had been loaded.
    func clear() throws
}

/// The bare path: what everybody pays.
final class NoFilter: Contender {
    let name = "no filter"

    func load() {}
    func changeOne() {}
    func clear() {}
}
