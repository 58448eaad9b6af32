"""Headlines by selection: which words of a sentence its headline keeps."""
