// SPDX-License-Identifier: Apache-2.0

import NIOCore
import Synchronization

/// How the double is set up.
package struct DoubleOptions: Sendable {
    /// Address to listen on.
    package var address = "127.0.0.1"
    /// Port to listen on; 0 for any.
    package var port = 0
    /// Whether it speaks TLS, with certificates of an authority of its own.
    package var usesTLS = false
    /// Whether HTTP/2 is offered beside HTTP/1.1 where TLS is spoken.
    package var offersHTTP2 = true
    /// Names and addresses that its certificate is good for, beside `address`.
    package var hosts = ["127.0.0.1", "::1", "localhost", "kubernetes.default.svc"]
    /// Time between bookmarks of a watch that asked for them; the real server's is a minute.
    package var bookmarkMilliseconds: Int64 = 60_000
    /// Changes kept per resource; older ones are compacted away.
    package var historyLimit = 100_000
    /// Whether `/_double` is served, for tests in other processes.
    package var hasControl = false

    package init() {}
}

/// What all connections share.
final class ServerContext: Sendable {
    let options: DoubleOptions
    let store: DoubleStore
    let tls: TLSState?
    let counters = Counters()
    let faults = FaultPlan()
    let access = Access()
    /// Answers requests to `/_double`.
    let control = Mutex<(@Sendable (APIRequest) -> Answer)?>(nil)
    private let streams = Mutex<[Int: WatchStream]>([:])
    private let guards = Mutex<[ObjectIdentifier: ConnectionGuard]>([:])

    init(options: DoubleOptions) throws {
        self.options = options
        store = DoubleStore(historyLimit: options.historyLimit)
        let hosts = options.hosts + [options.address]
        tls = options.usesTLS ? try TLSState(hosts: hosts, offersHTTP2: options.offersHTTP2) : nil
        faults.onChange { [weak self] in
            for stream in self?.watches(of: nil) ?? [] { stream.wake() }
        }
    }

    func register(_ stream: WatchStream, number: Int) { streams.withLock { $0[number] = stream } }

    func unregister(_ number: Int) { streams.withLock { _ = $0.removeValue(forKey: number) } }

    func watches(of resource: ResourceName?) -> [WatchStream] {
        streams.withLock { $0.values.filter { resource == nil || $0.resource == resource } }
    }

    func register(_ connection: ConnectionGuard) {
        counters.connection(opened: true)
        guards.withLock { $0[ObjectIdentifier(connection)] = connection }
        connection.closed.whenComplete { _ in
            self.counters.connection(opened: false)
            self.guards.withLock { _ = $0.removeValue(forKey: ObjectIdentifier(connection)) }
        }
    }

    var connections: [ConnectionGuard] { guards.withLock { Array($0.values) } }
}
