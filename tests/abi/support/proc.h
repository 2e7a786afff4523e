// What the tests of /proc share: links, lines, words and names in it.
#pragma once

#include <algorithm>
#include <set>
#include <sstream>

#include "tests/abi/support/abi.h"

namespace abi_test {

inline std::string own(int file) {
    return "/proc/self/fd/" + std::to_string(file);
}

inline std::string link_text(const std::string& path) {
    char text[PATH_MAX];
    ssize_t size = readlink(path.c_str(), text, sizeof text);
    return size < 0 ? "!" + errno_name(errno) : std::string(text, static_cast<size_t>(size));
}

inline std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);) {
        lines.push_back(line);
    }
    return lines;
}

inline std::vector<std::string> words_of(const std::string& text) {
    std::istringstream in(text);
    return {std::istream_iterator<std::string>(in), {}};
}

inline std::set<std::string> names_in(const std::string& path) {
    std::set<std::string> names;
    DIR* directory = opendir(path.c_str());
    while (dirent* entry = directory == nullptr ? nullptr : readdir(directory)) {
        names.insert(entry->d_name);
    }
    if (directory != nullptr) {
        closedir(directory);
    }
    return names;
}

}  // namespace abi_test
