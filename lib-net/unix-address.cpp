#include "lib-net/unix-address.h"

#include <fcntl.h>

#include <cstring>

namespace culver {

Result<UnixAddress> UnixAddress::of(const std::string& path) {
    UnixAddress result;
    result.address_.sun_family = AF_UNIX;
    if (path.empty() || path.find('\0') != std::string::npos)
        return fail(ErrorCode::InvalidArgument, "'" + path + "' is not a socket path");
    std::string name = path;
    if (name.size() >= sizeof result.address_.sun_path) {
        const auto slash = path.rfind('/');
        const std::string directory = slash == std::string::npos ? "." : path.substr(0, slash + 1);
        result.directory_.reset(::open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
        if (!result.directory_) return fail_errno("open(" + directory + ")");
        name = "/proc/self/fd/" + std::to_string(result.directory_.get()) + "/" + path.substr(slash + 1);
        if (name.size() >= sizeof result.address_.sun_path)
            return fail(ErrorCode::InvalidArgument, path + ": file name too long for a socket");
    }
    std::memcpy(result.address_.sun_path, name.data(), name.size());
    return result;
}

}  // namespace culver
