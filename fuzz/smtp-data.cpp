// The end of data: the same message whatever the pieces, and no end but CRLF.CRLF.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "lib-base/assert.h"
#include "lib-smtp/data-receiver.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
    std::string whole, pieces;
    culver::DataReceiver at_once, stepwise;
    const auto taken = at_once.feed(input, [&](std::string_view bytes) { whole += bytes; });
    std::size_t done = 0;
    while (done < input.size() && !stepwise.is_finished())
        done += stepwise.feed(input.substr(done, data[0] % 7 + 1u), [&](std::string_view bytes) { pieces += bytes; });
    ASSERT(whole == pieces && taken == done && at_once.is_finished() == stepwise.is_finished());
    const auto end = input.starts_with(".\r\n") ? 3 : input.find("\r\n.\r\n") + 5;
    ASSERT(at_once.is_finished() == (input.starts_with(".\r\n") || input.find("\r\n.\r\n") != std::string_view::npos));
    if (at_once.is_finished()) ASSERT(taken == end);
    return 0;
}
