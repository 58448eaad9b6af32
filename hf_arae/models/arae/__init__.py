"""The adversarially regularized autoencoder for text (Zhao et al. 2018; thesis, chapter 4).

An encoder maps a sentence x to a code c = enc(x) on the unit sphere, a decoder p(x | c) writes it back, and a
generator g maps noise z to codes c~ = g(z) that are to look like those of sentences. With two or more labels y there
is a decoder for each: to transfer a sentence, another label's decoder reads its code.

            x "the food was awful ."                 z ~ N(0, I)
                      |                                   |
      hide words that tell the label *               generator
                      |                                   |
               encoder (LSTM)                             |
                      |                                   |
       code c on the unit sphere  -----> critic <-----  code c~
              |       |                    |
              |       +--> classifier      '--> the encoder is pushed to look like the generator,
              |            of the label         the generator to look like the encoder
              |               |
              |               '--> the encoder is pushed to hide the label
              |
     +--------+---------+
 decoder "negative"  decoder "positive"     trained to rebuild their own sentences;
     |                  |                   to transfer, take the other one
 "... was awful ."  "... was amazing ."

One iteration is Algorithm 1 of the thesis; each of its three steps lowers one loss, by one player's parameters alone:

    (1) encoder and decoder       min  E_x[ -log p(x | enc(x)) ]
    (2) critic f, 1-Lipschitz     min  -E_x[ f(enc(x)) ] + E_z[ f(g(z)) ]
    (3) encoder and generator     min   E_x[ f(enc(x)) ] - E_z[ f(g(z)) ]

where (2) gives the Wasserstein distance between the codes of sentences and those of the generator, and (3) lowers it.
For transfer (section 4.4.2) a classifier learns p(y | enc(x)), and the encoder is pushed to be taken for another
label. `AraeObjective` runs this in five phases: the autoencoder's, (1); the critic's, (2), five times; the
classifier's; the generator's and the encoder's, which are the two halves of (3). In the last one the critic's gradient
is scaled by lambda1 and the classifier's by lambda2. A gradient penalty, or clipping of its weights, bounds the slope
of f.

* Not in the thesis. Words whose odds between the labels exceed `salience_threshold` are replaced by a mask before they
reach the encoder. The adversary is then left with what such words do not show, and the code may keep more of the rest.
`mask_attribute_words=False` gives the published model; the tables of results have both.
"""
