// SPDX-License-Identifier: Apache-2.0

/// Times as the API, the log and the console write them.
package enum Timestamp {
    /// RFC 3339 in UTC with nanoseconds.
    package static func text(nanoseconds: Int64) -> String {
        let (seconds, fraction) = nanoseconds.floorDivided(by: 1_000_000_000)
        let (days, secondOfDay) = seconds.floorDivided(by: 86_400)
        let (year, month, day) = civilDate(daysSince1970: days)
        let time = [secondOfDay / 3600, secondOfDay / 60 % 60, secondOfDay % 60].map { padded($0, 2) }
        return "\(padded(year, 4))-\(padded(month, 2))-\(padded(day, 2))T\(time.joined(separator: ":"))"
            + ".\(padded(fraction, 9))Z"
    }

    /// RFC 3339 in UTC with whole seconds.
    package static func text(seconds: Int64) -> String {
        String(text(nanoseconds: seconds.multipliedReportingOverflow(by: 1_000_000_000).partialValue).prefix(19)) + "Z"
    }

    /// Since 1970.
    package static func secondsNow() -> Int64 { Int64(HostClock.wallNanoseconds() / 1_000_000_000) }

    /// Since 1970.
    package static func nanosecondsNow() -> UInt64 { HostClock.wallNanoseconds() }

    /// The present.
    package static func now() -> String { text(nanoseconds: Int64(HostClock.wallNanoseconds())) }

    /// Proleptic Gregorian date; eras of 400 years, which begin on 1 March so that the leap day comes last.
    private static func civilDate(daysSince1970 days: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let (era, dayOfEra) = (days + 719_468).floorDivided(by: 146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shifted = (5 * dayOfYear + 2) / 153
        let month = shifted < 10 ? shifted + 3 : shifted - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shifted + 2) / 5 + 1)
    }

    private static func padded(_ number: Int64, _ width: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
}

extension Int64 {
    /// Quotient rounded down and a remainder that is never negative.
    fileprivate func floorDivided(by divisor: Int64) -> (quotient: Int64, remainder: Int64) {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }
}
