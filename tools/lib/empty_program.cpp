// Does nothing; tools/coverage links the whole kernel to it, to count the lines that no test reaches.
int main() {
    return 0;
}
