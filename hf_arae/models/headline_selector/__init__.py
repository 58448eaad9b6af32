"""The word selector: which words of a sentence its headline keeps."""
