// SPDX-License-Identifier: Apache-2.0

import ClusterModel
import ClusterSchema
import Testing

@testable import ClusterStore

@Suite struct PublicationDeskTests {
    @Test(.timeLimit(.minutes(1))) func `who writes after another was stopped hears of changes too`() async throws {
        let desk = try PublicationDesk(layout: StoreLayout(prefix: "/t"), node: "a")
        let (heard, hear) = AsyncStream.makeStream(of: Void.self)
        for _ in 0..<3 {
            let writer = Task { for await _ in desk.rounds() { hear.yield() } }
            var rounds = heard.makeAsyncIterator()
            _ = await rounds.next()
            _ = desk.tell([:])
            _ = await rounds.next()
            // In the middle of waiting, as when the lease is lost.
            writer.cancel()
            await writer.value
        }
    }
}
