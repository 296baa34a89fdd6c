// Rawlog: what went over one HTTP request, byte by byte, into two new files of a directory (rawlog_dir). For an admin
// who looks for a fault; the files hold tokens and are readable to the process's user alone.
#pragma once

#include <string>
#include <string_view>

#include "lib-base/unique-fd.h"

namespace culver {

class Rawlog {
public:
    enum class Direction { Sent, Received };
    // <dir>/<date>-<time>.<pid>.<number>.out and .in; a directory that cannot be written is named in the log.
    explicit Rawlog(const std::string& directory);
    void write(Direction direction, std::string_view bytes);

private:
    UniqueFd out_, in_;
};

}  // namespace culver
